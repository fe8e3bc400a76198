"""Runs the compliance check of scim2-tester and writes what each check found."""

import json
import os

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import check_server

http = Client(
    base_url=os.environ["SCIM_URL"],
    headers={"Authorization": f"Bearer {os.environ['SCIM_TOKEN']}"},
)
results = check_server(SyncSCIMClient(http))
print(
    json.dumps(
        [
            {"title": result.title, "status": result.status.name, "reason": result.reason}
            for result in results
        ]
    )
)
