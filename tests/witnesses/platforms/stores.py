"""Where the state is kept, and what of it is looked at: the journal."""

import os

from world import FOLDER, free_port, listens, start, wait_for

CONTAINER = "itsm"
PREFIX = "state"
JOURNAL = f"{PREFIX}/journal/contoso/"


class Folder:
    name = "a folder"

    def __init__(self):
        self.address = None
        self.folder = os.path.join(FOLDER, "state")
        self.environment = {"ITSMC_STATE": f"file://{self.folder}"}

    def journal(self):
        folder = os.path.join(self.folder, "journal", "contoso")
        entries = {}
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), "rb") as file:
                entries[name] = file.read()
        return entries


class S3:
    """A bucket of a server that speaks S3."""

    def __init__(self, server):
        self.name, self.address = f"S3 of {server.name}", server.url.split("://", 1)[1]
        self.client = server.client("s3")
        self.client.create_bucket(Bucket=CONTAINER)
        self.environment = {
            "ITSMC_STATE": f"s3://{CONTAINER}/{PREFIX}", "AWS_ENDPOINT": server.url, "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        }

    def journal(self):
        listed = self.client.list_objects_v2(Bucket=CONTAINER, Prefix=JOURNAL).get("Contents", [])
        names = [one["Key"] for one in listed]
        read = lambda key: self.client.get_object(Bucket=CONTAINER, Key=key)["Body"].read()
        return {name.rsplit("/", 1)[1]: read(name) for name in names}


class Aws:
    """A server that plays AWS."""

    def __init__(self, name, command, environment, port):
        import boto3

        self.name, self.url = name, f"http://127.0.0.1:{port}"
        start(name, command, {**os.environ, **environment})
        wait_for(name, listens(port))
        self.session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")

    def client(self, service):
        from botocore.config import Config

        config = Config(proxies={}, s3={"addressing_style": "path"}, retries={"max_attempts": 3})
        return self.session.client(service, endpoint_url=self.url, config=config)


def moto():
    port = free_port()
    return Aws("moto", [os.environ["MOTO"], "-H", "127.0.0.1", "-p", str(port)], {}, port)


def ministack():
    port = free_port()
    # Without these it opens ports on every interface.
    environment = {"BIND_HOST": "127.0.0.1", "IOT_MTLS_ENABLED": "0", "GATEWAY_PORT": str(port)}
    return Aws("ministack", [os.environ["MINISTACK"]], environment, port)


class Azurite:
    """A container of Azure Blob."""

    name = "Azurite"
    # The account and key that Azurite documents for everybody.
    account = "devstoreaccount1"
    key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

    def __init__(self):
        from azure.storage.blob import ContainerClient

        port = free_port()
        folder = os.path.join(FOLDER, "azurite")
        command = [
            os.environ["AZURITE"], "--silent", "--location", folder, "--blobHost", "127.0.0.1", "--blobPort", str(port),
            "--skipApiVersionCheck", "--disableTelemetry",
        ]
        start("azurite", command, dict(os.environ))
        wait_for("azurite", listens(port))
        self.address = f"127.0.0.1:{port}"
        url = f"http://{self.address}/{self.account}"
        self.container = ContainerClient(url, CONTAINER, credential=self.key)
        self.container.create_container()
        self.environment = {
            "ITSMC_STATE": f"az://{CONTAINER}/{PREFIX}", "AZURE_STORAGE_USE_EMULATOR": "true",
            "AZURITE_BLOB_STORAGE_URL": f"http://{self.address}",
        }

    def journal(self):
        names = [blob.name for blob in self.container.list_blobs(name_starts_with=JOURNAL)]
        return {name.rsplit("/", 1)[1]: self.container.download_blob(name).readall() for name in names}
