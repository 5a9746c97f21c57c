"""azure-keyvault-secrets over azure-identity: the challenge, secrets, versions, pages, soft delete, throttling."""

import os
from datetime import datetime, timezone

from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.identity import ClientSecretCredential, ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient
from checks import check, equal, raises, run
from simulator import APP, HEADER, SECRET, TENANT, USER_ASSIGNED, Simulator

simulator = Simulator()


def credential(secret=SECRET):
    return ClientSecretCredential(
        TENANT,
        APP,
        secret,
        authority=simulator.host,
        disable_instance_discovery=True,
        connection_verify=simulator.ca,
    )


def client(credential_=None, **more):
    # The simulator's host is not of Azure's domain, and the resource that it names is.
    return SecretClient(
        simulator.url,
        credential_ or credential(),
        verify_challenge_resource=False,
        connection_verify=simulator.ca,
        **more,
    )


vault = client()


@check("the challenge is understood: one call without a token, then one with")
def _():
    simulator.forget()
    error = raises(ResourceNotFoundError, lambda: client().get_secret("nobody"))
    equal(error.error.code, "SecretNotFound")
    equal([entry["status"] for entry in simulator.journal()], [401, 404])


@check("a client that verifies the challenge does not send its token here")
def _():
    strict = SecretClient(simulator.url, credential(), connection_verify=simulator.ca)
    raises(ValueError, lambda: strict.get_secret("nobody"))


@check("a wrong secret of the app is refused by its AADSTS code")
def _():
    error = raises(ClientAuthenticationError, lambda: client(credential("wrong")).get_secret("nobody"))
    assert "AADSTS7000215" in str(error), error


@check("what is set is got, with its attributes")
def _():
    until = datetime(2030, 1, 1, tzinfo=timezone.utc)
    made = vault.set_secret("first", "one", content_type="application/json", tags={"a": "b"}, expires_on=until)
    got = vault.get_secret("first")
    equal((got.value, got.properties.version), ("one", made.properties.version))
    equal((got.properties.expires_on, got.properties.content_type, got.properties.tags), (until, "application/json", {"a": "b"}))
    equal((got.properties.enabled, got.properties.recovery_level), (True, "Recoverable+Purgeable"))


@check("the newest of several versions counts, the others are there by name")
def _():
    old = vault.set_secret("versions", "one").properties.version
    new = vault.set_secret("versions", "two").properties.version
    equal(vault.get_secret("versions").value, "two")
    equal(vault.get_secret("versions", old).value, "one")
    equal({each.version for each in vault.list_properties_of_secret_versions("versions")}, {old, new})


@check("a disabled version is not given")
def _():
    made = vault.set_secret("disabled", "one").properties
    changed = vault.update_secret_properties("disabled", made.version, enabled=False)
    equal(changed.enabled, False)
    error = raises(HttpResponseError, lambda: vault.get_secret("disabled"))
    equal((error.status_code, error.error.code, error.error.innererror["code"]), (403, "Forbidden", "SecretDisabled"))


@check("names are listed page by page, without values")
def _():
    for n in range(30):
        vault.set_secret(f"page-{n:02}", "x")
    pages = [list(page) for page in vault.list_properties_of_secrets(max_page_size=10).by_page()]
    names = [each.name for page in pages for each in page]
    assert len(pages) > 3 and all(len(page) <= 10 for page in pages), pages
    equal([name for name in names if name.startswith("page-")], [f"page-{n:02}" for n in range(30)])


@check("what is deleted holds its name, is recovered, and is purged")
def _():
    vault.set_secret("gone", "one")
    deleted = vault.begin_delete_secret("gone").result()
    assert deleted.recovery_id.endswith("/deletedsecrets/gone"), deleted.recovery_id
    raises(ResourceNotFoundError, lambda: vault.get_secret("gone"))
    error = raises(ResourceExistsError, lambda: vault.set_secret("gone", "two"))
    equal(error.error.innererror["code"], "ObjectIsDeletedButRecoverable")
    equal([each.name for each in vault.list_deleted_secrets()], ["gone"])
    vault.begin_recover_deleted_secret("gone").wait()
    equal(vault.get_secret("gone").value, "one")
    vault.begin_delete_secret("gone").wait()
    vault.purge_deleted_secret("gone")
    raises(ResourceNotFoundError, lambda: vault.get_deleted_secret("gone"))
    equal(vault.set_secret("gone", "three").value, "three")


@check("a value of more than 25 KB is refused")
def _():
    equal(vault.set_secret("large", "x" * 25 * 1024).name, "large")
    error = raises(HttpResponseError, lambda: vault.set_secret("large", "x" * (25 * 1024 + 1)))
    equal((error.status_code, error.error.code), (400, "BadParameter"))


@check("a client that is throttled waits as long as it is told, and goes on")
def _():
    simulator.forget()
    simulator.fault("read", {"status": {"code": 429, "retry_after": "1"}}, times={"n": 2})
    equal(vault.get_secret("first").value, "one")
    equal([entry["status"] for entry in simulator.journal()], [429, 429, 200])
    simulator.forget()


@check("managed identities get tokens from the platform's endpoint, the ones that there are")
def _():
    os.environ["IDENTITY_ENDPOINT"] = f"{simulator.url}/msi/token"
    os.environ["IDENTITY_HEADER"] = HEADER
    for identity in [{}, {"client_id": USER_ASSIGNED}]:
        managed = ManagedIdentityCredential(connection_verify=simulator.ca, **identity)
        equal(client(managed).get_secret("first").value, "one")
    other = ManagedIdentityCredential(connection_verify=simulator.ca, client_id=APP)
    raises(ClientAuthenticationError, lambda: client(other).get_secret("first"))


run("azure")
