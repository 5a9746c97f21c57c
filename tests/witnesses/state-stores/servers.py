"""The servers of ITSMC_TEST_STORES, by the clients of their makers. As a script: waits for them, and makes the container."""

import os
import time

import boto3
import botocore.config
from azure.storage.blob import BlobServiceClient

CONTAINER = "itsm-state"
AZURITE_ACCOUNT = "devstoreaccount1"
# It is in the emulator's documentation.
AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
STARTS_WITHIN = 60


class Azure:
    def __init__(self, address):
        self.settings = {
            "ITSMC_STATE": f"az://{CONTAINER}/product",
            "AZURE_STORAGE_USE_EMULATOR": "true",
            "AZURITE_BLOB_STORAGE_URL": f"http://{address}",
        }
        self.client = BlobServiceClient(
            f"http://{address}/{AZURITE_ACCOUNT}", credential=AZURITE_KEY, retry_total=0
        )

    def make_container(self):
        self.client.create_container(CONTAINER)

    def objects(self, prefix):
        container = self.client.get_container_client(CONTAINER)
        names = container.list_blob_names(name_starts_with=prefix)
        return {name.removeprefix(prefix): container.download_blob(name).readall() for name in names}


class S3:
    def __init__(self, address):
        key = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
        self.settings = {
            "ITSMC_STATE": f"s3://{CONTAINER}/product",
            "AWS_ENDPOINT_URL_S3": f"http://{address}",
            **key,
        }
        self.client = boto3.client(
            "s3",
            endpoint_url=f"http://{address}",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            region_name="us-east-1",
            config=botocore.config.Config(retries={"max_attempts": 0}),
        )

    def make_container(self):
        self.client.create_bucket(Bucket=CONTAINER)

    def objects(self, prefix):
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=CONTAINER, Prefix=prefix)
        names = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        read = lambda name: self.client.get_object(Bucket=CONTAINER, Key=name)["Body"].read()
        return {name.removeprefix(prefix): read(name) for name in names}


def servers():
    for server in os.environ["ITSMC_TEST_STORES"].split():
        name, address = server.split("=")
        yield name, (Azure if name == "azurite" else S3)(address)


def make_container(name, server):
    ends_at = time.monotonic() + STARTS_WITHIN
    while True:
        try:
            return server.make_container()
        except Exception as error:  # Each client has its own for "nobody listens yet".
            if time.monotonic() > ends_at:
                raise SystemExit(f"error: {name} does not answer: {error}") from error
            time.sleep(0.2)


if __name__ == "__main__":
    for name, server in servers():
        make_container(name, server)
        print(f"ok {name} answers")
