"""botocore: the fake STS takes the signatures of AWS's own client, and Entra takes the token for a secret."""

import base64
import json

import botocore.session
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientAssertionCredential
from azure.keyvault.secrets import SecretClient
from botocore.exceptions import ClientError
from checks import check, equal, raises, run
from simulator import APP, KEYS, REGION, ROLE, TENANT, Simulator

AUDIENCE = "api://AzureADTokenExchange"
simulator = Simulator()


def sts(simulator=simulator, keys=KEYS, region=REGION):
    session = botocore.session.Session()
    return session.create_client(
        "sts",
        region_name=region,
        endpoint_url=simulator.url,
        verify=simulator.ca,
        aws_access_key_id=keys[0],
        aws_secret_access_key=keys[1],
        aws_session_token=keys[2],
    )


def token(client=None, audience=AUDIENCE, **more):
    reply = (client or sts()).get_web_identity_token(Audience=[audience], SigningAlgorithm="RS256", **more)
    return reply["WebIdentityToken"]


def claims(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def vault(assertion):
    credential = ClientAssertionCredential(
        TENANT,
        APP,
        assertion,
        authority=simulator.host,
        disable_instance_discovery=True,
        connection_verify=simulator.ca,
    )
    return SecretClient(
        simulator.url, credential, verify_challenge_resource=False, connection_verify=simulator.ca
    )


@check("a good signature brings a token that names the role")
def _():
    told = claims(token(DurationSeconds=600))
    equal((told["sub"], told["aud"], told["exp"] - told["iat"]), (ROLE, AUDIENCE, 600))


@check("another key, another session or another region is refused")
def _():
    refused = [
        ((KEYS[0], "wrong", KEYS[2]), REGION, "SignatureDoesNotMatch"),
        ((KEYS[0], KEYS[1], "wrong"), REGION, "InvalidClientTokenId"),
        (("ASIANOBODY", KEYS[1], KEYS[2]), REGION, "InvalidClientTokenId"),
        (KEYS, "us-east-1", "SignatureDoesNotMatch"),
    ]
    for keys, region, code in refused:
        error = raises(ClientError, lambda: token(sts(keys=keys, region=region)))
        equal(error.response["Error"]["Code"], code)


@check("an account that has not switched it on says so")
def _():
    off = Simulator(aws_is_enabled=False)
    error = raises(ClientError, lambda: token(sts(off)))
    equal(error.response["Error"]["Code"], "OutboundWebIdentityFederationDisabledException")


@check("the token opens the vault in place of a secret")
def _():
    client = vault(token)
    client.set_secret("by-role", "one")
    equal(client.get_secret("by-role").value, "one")


@check("a token for somebody else, or one that is not AWS's, does not")
def _():
    for assertion, code in [(lambda: token(audience="other"), "700212"), (lambda: "a.b.c", "50027")]:
        error = raises(ClientAuthenticationError, lambda: vault(assertion).get_secret("by-role"))
        assert f"AADSTS{code}" in str(error), error


run("botocore")
