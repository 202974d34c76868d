"""A person's ways into one cluster: list them, get another one, end one."""

from collections.abc import Sequence
from uuid import UUID

from pyk8s.client.http import Http, understand
from pyk8s.wire.access import CreatedCredential, Credential, CredentialList, Endpoint


class Credentials:
    """The caller's credentials for one cluster."""

    def __init__(self, http: Http, path: str) -> None:
        self._http = http
        self._path = path

    async def kubeconfig(
        self,
        endpoint: Endpoint | str | None = None,
        *,
        expires_in_seconds: int | None = None,
        service_account: str | None = None,
    ) -> str:
        """Give a kubeconfig, as YAML, with a credential of its own. Raises as `issue`.

        `service_account`: `NAMESPACE/NAME`, who asks inside the cluster instead of the caller.
        """
        asked = {
            "endpoint": endpoint,
            "expires_in_seconds": expires_in_seconds,
            "service_account": service_account,
        }
        params = {key: value for key, value in asked.items() if value is not None}
        answer = await self._http.send("GET", f"{self._path}/kubeconfig", params=params or None)
        return answer.text

    async def list(self) -> Sequence[Credential]:
        """Give those that open the cluster now, newest first.

        Raises:
            NotFound: there is no such cluster, or it is somebody else's.
        """
        items = await self._http.items(f"{self._path}/credentials")
        return understand(CredentialList, {"items": items}).items

    async def issue(self, name: str, *, expires_in_seconds: int | None = None) -> CreatedCredential:
        """Make one for the proxy; `name` says what it is for. Its secret is in the answer only.

        Raises:
            Conflict: the cluster is not ready, or the server has no proxy.
            Invalid: it would be good for too long, or for less than ten minutes.
            NotFound: there is no such cluster, or it is somebody else's.
        """
        asked = {"name": name, "expires_in_seconds": expires_in_seconds}
        document = await self._http.document("POST", f"{self._path}/credentials", body=asked)
        return understand(CreatedCredential, document)

    async def revoke(self, credential_id: UUID | str) -> None:
        """End one; what is open under it at the proxy ends within a second.

        Raises:
            NotFound: the caller has no such credential for this cluster, or not any more.
            OverCapacity: it is a certificate, and its cluster does not answer now.
        """
        await self._http.document("DELETE", f"{self._path}/credentials/{credential_id}")
