//! Every mistake, and whom the settings trust.

use super::*;

fn read(pairs: &[(&str, &str)]) -> Result<StateLocation, SettingsError> {
    let said = |name: &str| {
        let found = pairs.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let allowed = AllowedHosts::parse(&said("ITSMC_ALLOW_HOSTS").unwrap_or_default());
    state(&said, &allowed)
}

const AZ: (&str, &str) = ("ITSMC_STATE", "az://itsm-state/prod/eu");
const ACCOUNT: (&str, &str) = ("AZURE_STORAGE_ACCOUNT_NAME", "contosoitsm");
const S3: (&str, &str) = ("ITSMC_STATE", "s3://contoso.itsm/prod");
const REGION: (&str, &str) = ("AWS_REGION", "eu-central-1");

fn cloud(pairs: &[(&str, &str)]) -> CloudStore {
    match read(pairs) {
        Ok(StateLocation::Azure(store) | StateLocation::S3(store)) => store,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_store_of_a_cloud_is_its_name_and_what_the_variables_say() {
    let store = cloud(&[AZ, ACCOUNT, ("IDENTITY_ENDPOINT", "http://127.0.0.1:1/t")]);
    assert_eq!(
        (&*store.container, &*store.prefix),
        ("itsm-state", "prod/eu")
    );
    let names: Vec<&str> = store.options.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["IDENTITY_ENDPOINT", "AZURE_STORAGE_ACCOUNT_NAME"]);
    let store = cloud(&[("ITSMC_STATE", "s3://contoso.itsm/"), REGION]);
    assert_eq!((&*store.container, &*store.prefix), ("contoso.itsm", ""));
}

#[test]
fn every_mistake_names_its_variable() {
    let plain = "http://storage.corp.example:9000";
    let cases: Vec<Vec<(&str, &str)>> = vec![
        vec![],
        vec![("ITSMC_STATE", "gs://bucket")],
        vec![("ITSMC_STATE", "az://Itsm")],
        vec![("ITSMC_STATE", "az://it--sm")],
        vec![("ITSMC_STATE", "az://itsm/a//b")],
        vec![("ITSMC_STATE", "az://itsm/../b")],
        vec![("ITSMC_STATE", "s3://it")],
        vec![("ITSMC_STATE", "s3://fast--euc1-az1--x-s3")],
        vec![AZ],
        vec![
            AZ,
            (
                "AZURE_STORAGE_ACCOUNT_NAME",
                "https://x.blob.core.windows.net",
            ),
        ],
        vec![AZ, ACCOUNT, ("AZURE_STORAGE_ENDPOINT", plain)],
        vec![
            AZ,
            ACCOUNT,
            ("AZURE_STORAGE_ENDPOINT", "https://x/?sig=canary"),
        ],
        vec![S3],
        vec![S3, REGION, ("AWS_ACCESS_KEY_ID", "canary")],
        vec![S3, ("AWS_ENDPOINT_URL", plain)],
        vec![S3, ("AWS_ENDPOINT_URL_S3", "https://canary:canary@x")],
        vec![S3, ("AWS_ENDPOINT", "canary")],
    ];
    let told: Vec<String> = cases
        .iter()
        .map(|case| match read(case) {
            Ok(_) => panic!("{case:?} is accepted"),
            Err(error) => error.to_string(),
        })
        .collect();
    let told = told.join("\n");
    assert!(!told.contains("canary"), "{told}");
    insta::assert_snapshot!(told);
}

#[test]
fn without_tls_this_machine_is_asked_and_whoever_is_on_the_list() {
    let plain = ("AWS_ENDPOINT_URL", "http://storage.corp.example:9000");
    let listed = ("ITSMC_ALLOW_HOSTS", "storage.corp.example:9000");
    assert!(read(&[S3, plain]).is_err());
    assert!(read(&[S3, plain, listed]).is_ok());
    for here in [
        "http://127.0.0.1:9000",
        "http://[::1]:9000",
        "http://localhost",
    ] {
        assert!(read(&[S3, ("AWS_ENDPOINT_URL", here)]).is_ok(), "{here}");
    }
}

#[test]
fn the_clouds_own_servers_are_trusted_and_no_others() {
    let azure = |endpoint| read(&[AZ, ACCOUNT, ("AZURE_STORAGE_ENDPOINT", endpoint)]).unwrap();
    let s3 = |endpoint| read(&[S3, ("AWS_ENDPOINT_URL_S3", endpoint)]).unwrap();
    let own = [
        read(&[AZ, ACCOUNT]).unwrap(),
        read(&[S3, REGION]).unwrap(),
        azure("https://contosoitsm.blob.core.usgovcloudapi.net"),
        azure("https://contosoitsm.z1.blob.storage.azure.net/"),
        s3("https://s3.cn-north-1.amazonaws.com.cn"),
        s3("https://bucket.vpce-1a.s3.eu-west-1.vpce.amazonaws.com"),
    ];
    for location in own {
        assert_eq!(location.to_be_proven(), None, "{location}");
    }
    let foreign = [
        azure("http://127.0.0.1:10000/devstoreaccount1"),
        azure("https://blob.core.windows.net.corp.example"),
        azure("https://contosoitsm.blob.core.windows.net:8443"),
        s3("https://s3-store-1.eu-west-1.elb.amazonaws.com"),
        s3("https://s3.corp.example"),
    ];
    for location in foreign {
        assert!(location.to_be_proven().is_some(), "{location}");
    }
    assert_eq!(
        s3("http://localhost:9000/").to_be_proven().unwrap(),
        "s3://contoso.itsm/prod at http://localhost:9000"
    );
}

#[test]
fn the_emulator_needs_nothing_else() {
    let store = cloud(&[AZ, ("AZURE_STORAGE_USE_EMULATOR", "true")]);
    let told = |wanted: &str| {
        let found = store.options.iter().find(|(name, _)| *name == wanted);
        found.map(|(_, value)| value.expose())
    };
    assert_eq!(
        told("AZURE_STORAGE_ENDPOINT"),
        Some("http://127.0.0.1:10000/devstoreaccount1")
    );
    assert_eq!(told("AZURE_STORAGE_ACCOUNT_NAME"), Some(EMULATOR_ACCOUNT));
    assert!(store.foreign_server.is_some());
}

#[test]
fn no_key_is_printed() {
    let store = read(&[
        S3,
        REGION,
        ("AWS_ACCESS_KEY_ID", "canary-1"),
        ("AWS_SECRET_ACCESS_KEY", "canary-2"),
        ("AWS_SESSION_TOKEN", "canary-3"),
    ]);
    let printed = format!("{store:?} {:#?} {}", store, store.as_ref().unwrap());
    assert!(printed.contains("AWS_SECRET_ACCESS_KEY"), "{printed}");
    assert!(!printed.contains("canary"), "{printed}");
}
