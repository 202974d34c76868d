"""Why an image cannot be had."""

from typing import Final

from server.drivers.base import Explanation
from server.drivers.explain.rule import IMAGE, Rule

IMAGES: Final = (
    Rule(
        (
            r"(?i)exec format error|no matching manifest for \S+ in the manifest list"
            r"|platform \(\S+\) does not match",
        ),
        Explanation(
            code="image_architecture",
            title="The node image is for another kind of processor",
            cause="the image was built for another architecture than the host's",
            fix="take an image for this host (uname -m); kindest/node has amd64 and arm64. "
            "Remove the wrong one first: docker image rm",
        ),
    ),
    Rule(
        (r"exec: .*(?:no such file or directory|executable file not found)|no command specified",),
        Explanation(
            code="image_not_a_node",
            title="The node image has no node in it",
            cause="what the image should start with is not there: it is no node image of kind",
            fix="use kindest/node, or an image made by `kind build node-image`; remove the wrong "
            "one with docker image rm",
        ),
        where="log",
    ),
    Rule(
        (r"(?i)toomanyrequests|pull rate limit",),
        Explanation(
            code="registry_rate_limit",
            title="The registry's pull limit is reached",
            cause="the registry gives no more images to this address for a while",
            fix="docker login on the host, wait some hours, or load the image from a file "
            "(docker load)",
        ),
    ),
    Rule(
        (r"(?i)proxyconnect tcp|proxy authentication required",),
        Explanation(
            code="proxy_in_the_way",
            title="The proxy did not let the pull through",
            cause="Docker asked the registry through a proxy, and the proxy refused or is gone",
            fix="correct the proxy of Docker (systemctl show --property=Environment docker), then "
            "restart Docker; or load the image from a file (docker load)",
        ),
    ),
    Rule(
        (r"x509: certificate has expired or is not yet valid",),
        Explanation(
            code="clock_wrong",
            title="A certificate is not valid at the host's time",
            cause="the clock of the host is wrong, or a certificate has truly expired",
            fix="set the clock (timedatectl set-ntp true), then create again",
        ),
        where="log",
    ),
    Rule(
        (r"x509: ",),
        Explanation(
            code="registry_certificate",
            title="The registry's certificate is not trusted",
            cause="something between the host and the registry (a proxy of the company) shows a "
            "certificate that Docker does not know",
            fix="put its authority into /etc/docker/certs.d or the system's store, restart Docker",
        ),
        steps=IMAGE,
    ),
    Rule(
        (r"(?i)unauthorized: |no basic auth credentials|401 Unauthorized",),
        Explanation(
            code="registry_denied",
            title="The registry wants a login",
            cause="the image is in a private place, and Docker has no valid login for it",
            fix="docker login on the host as the user that runs the server, or use a public image",
        ),
        steps=IMAGE,
    ),
    Rule(
        (r"(?i)TLS handshake timeout|Client\.Timeout exceeded|i/o timeout",),
        Explanation(
            code="registry_timeout",
            title="The registry did not answer in time",
            cause="the way from the host to the registry is closed or very slow",
            fix="see whether `docker pull hello-world` works on the host; behind a firewall load "
            "the image from a file (docker load)",
        ),
        steps=IMAGE,
    ),
    Rule(
        (
            r"(?i)failed to register layer|filesystem layer verification failed"
            r"|unexpected commit digest|failed size validation",
        ),
        Explanation(
            code="image_broken",
            title="The image arrived broken",
            cause="a layer of the image does not have the content that its name says",
            fix="pull it again on the host (docker pull); if it stays so, see whether the disk or "
            "a proxy changes data",
        ),
    ),
    Rule(
        (r"failed to pull image|No such image|manifest unknown|pull access denied",),
        Explanation(
            code="image_missing",
            title="The node image is not there and could not be pulled",
            cause="the image is not on the host, and the registry did not give it",
            fix="pull or load it on the host (docker pull kindest/node:...), or set "
            "PYK8S_NODE_IMAGE to one that is there",
        ),
        where="log",
    ),
    Rule(
        (r"(?i)failed to (?:get|pull) (?:the )?sandbox image|sandbox image .* not found",),
        Explanation(
            code="sandbox_image",
            title="The node lacks the image that every pod starts from",
            cause="containerd in the node tried to pull `pause`, which a node image brings along",
            fix="use an unchanged kindest/node image, or one built with `kind build node-image`",
        ),
    ),
    Rule(
        (r"ErrImagePull|ImagePullBackOff|rpc error: .*failed to pull and unpack image",),
        Explanation(
            code="pod_image_missing",
            title="A part of Kubernetes could not be pulled",
            cause="the node image does not hold an image that Kubernetes needs, and the node "
            "could not pull it",
            fix="use a node image that fits the Kubernetes version, or give the host a way to the "
            "registry",
        ),
    ),
    Rule(
        (r"(?i)failed to load image|ctr: failed to ingest|archive/tar: invalid tar header",),
        Explanation(
            code="image_load",
            title="An image could not be put into the node",
            cause="containerd in the node could not read the image that it was given",
            fix="build or save the image anew (docker save), and see that the disk is not full",
        ),
    ),
)
