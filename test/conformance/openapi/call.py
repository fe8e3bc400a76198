# Calls a server by the client that openapi-python-client made of its document, and prints what came back.
import json
import os

from latchkey_client import Client
from latchkey_client.api.o_auth_2_0 import introspect, token
from latchkey_client.models import IntrospectionRequest, TokenRequest, TokenRequestGrantType

client = Client(base_url=os.environ["ISSUER"])


def log_in(password):
    return token.sync(
        client=client,
        body=TokenRequest(
            grant_type=TokenRequestGrantType.PASSWORD,
            client_id="mobile",
            username="alice",
            password=password,
            resource=[os.environ["AUDIENCE"]],
        ),
    )


def look_up(secret):
    return introspect.sync(
        client=client,
        body=IntrospectionRequest(token=tokens.access_token, client_id="orders-api", client_secret=secret),
    )


tokens = log_in(os.environ["PASSWORD"])
answers = [tokens, log_in("wrong"), look_up(os.environ["SECRET"]), look_up("wrong")]
print(json.dumps([{"type": type(answer).__name__, "value": answer.to_dict()} for answer in answers]))
