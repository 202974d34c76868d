"""How much of a limit is left, as HTTP says it (draft-ietf-httpapi-ratelimit-headers-10). Pure."""

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A limit of requests, and what is left of it for whoever asked."""

    policy: str
    quota: int
    remaining: int
    reset_seconds: float | None = None
    """In how many seconds there is more."""
    unit: Literal["requests", "concurrent-requests"] = "requests"

    def headers(self) -> dict[str, str]:
        """Return the two headers, as structured fields (RFC 9651)."""
        unit = "" if self.unit == "requests" else f';qu="{self.unit}"'
        reset = self.reset_seconds
        left = "" if reset is None else f";t={max(1, math.ceil(reset))}"
        return {
            "RateLimit-Policy": f'"{self.policy}";q={self.quota}{unit}',
            "RateLimit": f'"{self.policy}";r={max(0, self.remaining)}{left}',
        }
