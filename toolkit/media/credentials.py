"""Content Credentials (C2PA): read them without a network, and sign with a key of one's own.

Integrity and trust are two things: an unchanged file may be signed by anybody, and neither says
that what it shows is true. Reading happens in the child process of `inspector.py`, in which no
socket can be opened; the library is told not to try either. No trust list is shipped, so a signer
is never called trusted here.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from toolkit._i18n import _
from toolkit.errors import UsageError
from toolkit.files import atomic_path
from toolkit.media.provenance import ask, printable
from toolkit.types import Tick, no_tick

Outcome = Literal["absent", "intact", "changed", "remote", "unreadable", "not_examined"]
Trust = Literal["none", "untrusted", "trusted"]

STATEMENT_LABEL = "org.doorzicht.statement"
OFFLINE = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}
FORMATS = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
}
"""What can be signed, by file name."""

_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
_STATUSES_MAX = 50


@dataclass(frozen=True)
class Credentials:
    """What Content Credentials say about a file. All texts come from the file and are printable.

    Attributes
    ----------
    outcome
        ``"absent"``; ``"intact"``: the file is as it was signed; ``"changed"``: it is not, or it is
        damaged; ``"remote"``: it points to a manifest elsewhere, which was not retrieved;
        ``"unreadable"``: there is something that cannot be read; ``"not_examined"``: the library
        is missing or does not know this container.
    trust
        ``"none"`` where there is no signature to trust.
    statuses
        C2PA status codes of what failed, sorted; at most 50.
    generator, signer, signed_at
        Program, name in the certificate, and time (only where a time stamp was signed with it).
    remote_url
        Address of the manifest, as text.
    statement
        Text of our own statement assertion, or None.
    tool
        The library and its version.
    """

    outcome: Outcome
    trust: Trust = "none"
    statuses: tuple[str, ...] = ()
    generator: str | None = None
    signer: str | None = None
    signed_at: str | None = None
    remote_url: str | None = None
    statement: str | None = None
    tool: str | None = None

    def integrity_line(self) -> str:
        """Return whether the file is as it was signed, in the language in use."""
        return {
            "absent": _(
                "Content Credentials: none found. That says nothing: most platforms strip them."
            ),
            "intact": _("Content Credentials: the file is unchanged since it was signed."),
            "changed": _(
                "Content Credentials: the file was changed after it was signed, or is damaged."
            ),
            "remote": _(
                "Content Credentials: the file points to a manifest at {url}; it was not retrieved."
            ).format(url=self.remote_url or _("an address that is not printed here")),
            "unreadable": _("Content Credentials: the file could not be read for them."),
            "not_examined": _("Content Credentials: not examined."),
        }[self.outcome]

    def trust_line(self) -> str:
        """Return what is known of the signer, in the language in use."""
        if self.trust == "none":
            return _("Signer: there is no signature that could be checked.")
        if self.trust == "untrusted" and self.signer is None:
            return _(
                "Signer: no name is given here; not checked against a trust list. Anybody can sign."
            )
        name = self.signer or _("not named")
        if self.trust == "trusted":
            return _("Signer: {name}, on the trust list in use.").format(name=name)
        return _(
            "Signer: names itself {name}; not checked against a trust list. Anybody can sign."
        ).format(name=name)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return plain


@dataclass(frozen=True, repr=False)
class Certificate:
    """A private key and the certificates that go with it, both PEM; the signer's own first."""

    key_pem: bytes
    chain_pem: bytes

    def __repr__(self) -> str:
        return "Certificate(key_pem=..., chain_pem=...)"  # a key never reaches a traceback


# --- reading ------------------------------------------------------------------------------


def read_credentials(path: Path | str, *, tick: Tick = no_tick) -> Credentials:
    """Read the Content Credentials of a file; nothing is fetched from anywhere.

    Raises
    ------
    VideoError
        If there is no such regular file.
    Cancelled
        If `tick` raises it.
    """
    found = ask("credentials", Path(path), tick=tick)
    tool = printable(found["version"], most=80) if "version" in found else None
    if "json" in found:
        try:
            return _from_manifest(found["json"], tool)
        except (KeyError, TypeError, AttributeError, IndexError, ValueError):
            return Credentials("unreadable", tool=tool)
    if "version" not in found:  # the library is missing, or the child process ended
        return Credentials("not_examined")
    return _from_refusal(str(found.get("error", "")), tool)


def _from_refusal(text: str, tool: str | None) -> Credentials:
    """Tell apart why the library returned no manifest."""
    if "ManifestNotFound" in text:
        return Credentials("absent", tool=tool)
    if re.match(r"\W*Remote", text):
        address = re.search(r"[a-z][a-z0-9+.-]*://\S+", text)
        url = printable(address.group() if address else text)
        return Credentials("remote", remote_url=url, tool=tool)
    if re.match(r"\W*(NotSupported|UnsupportedType)", text) or "type is unsupported" in text:
        return Credentials("not_examined", statuses=(printable(text, most=200),), tool=tool)
    return Credentials("unreadable", statuses=(printable(text, most=200),), tool=tool)


def _from_manifest(facts: dict[str, Any], tool: str | None) -> Credentials:
    manifest = facts["manifests"][facts["active_manifest"]]
    statuses = sorted({printable(s["code"], most=120) for s in facts.get("validation_status", [])})
    state = facts.get("validation_state")
    outcome: Outcome = "intact" if state in {"Valid", "Trusted"} else "changed"
    signature = manifest.get("signature_info") or {}
    names = [signature.get(key) for key in ("common_name", "issuer")]
    programs = [
        " ".join(str(p[key]) for key in ("name", "version") if p.get(key))
        for p in manifest.get("claim_generator_info") or []
    ]
    statement = next(
        (a["data"]["statement"] for a in manifest["assertions"] if a["label"] == STATEMENT_LABEL),
        None,
    )
    return Credentials(
        outcome=outcome,
        trust="trusted" if state == "Trusted" else "untrusted",
        statuses=tuple(statuses[:_STATUSES_MAX]),
        generator=_text(", ".join(programs) or manifest.get("claim_generator")),
        signer=_text(" / ".join(str(n) for n in names if n) or None),
        signed_at=_text(signature.get("time")),
        statement=_text(statement),
        tool=tool,
    )


def _text(value: object) -> str | None:
    return None if value is None else printable(value)


# --- signing ------------------------------------------------------------------------------


def sign(
    path: Path | str,
    out: Path | str,
    *,
    certificate: Certificate,
    statement: str,
    title: str | None = None,
) -> None:
    """Write a copy of a file with Content Credentials that carry a statement.

    The manifest says that the file was made with a trained algorithm, holds the statement in an
    assertion of our own, and has no time stamp, because that would need a network.

    Parameters
    ----------
    path, out
        An MP4, MOV, JPEG or PNG of one's own making; `out` is complete, or not written at all.
    certificate
        Key and chain, ES256; see `make_test_certificate` for what a chain needs.
    statement
        For example ``"AI / SYNTHETIC - LESSON"``.
    title
        Shown as the file's title; None = no title.

    Raises
    ------
    UsageError
        If the kind of file cannot be signed, or the certificate is not accepted.
    OSError
        If a file cannot be read or written.
    """
    source = Path(path)
    kind = FORMATS.get(source.suffix.lower())
    if kind is None:
        raise UsageError(
            "this kind of file cannot be signed",
            printable(source.suffix, most=20) or "no suffix",
            "Known: {known}.",
            known=", ".join(FORMATS),
        )
    import c2pa  # type: ignore[import-untyped]

    action = {"action": "c2pa.created", "digitalSourceType": _SOURCE_TYPE, "description": statement}
    manifest: dict[str, Any] = {
        "claim_generator_info": [{"name": "Doorzicht", "version": version("doorzicht")}],
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [action]}},
            {"label": STATEMENT_LABEL, "data": {"statement": statement}},
        ],
    }
    if title is not None:
        manifest["title"] = title
    context = c2pa.Context(c2pa.Settings.from_dict(OFFLINE))
    with atomic_path(out) as temporary, source.open("rb") as read_from:
        try:
            signer = c2pa.Signer.from_info(
                c2pa.C2paSignerInfo(b"es256", certificate.chain_pem, certificate.key_pem, None)
            )
            with temporary.open("wb+") as write_to:
                c2pa.Builder(manifest, context).sign(signer, kind, read_from, write_to)
        except c2pa.C2paError as error:
            raise UsageError(
                "the file could not be signed",
                printable(error, most=200),
                "Check the file and the certificate.",
            ) from error


def make_test_certificate(*, name: str = "Doorzicht test signer") -> Certificate:
    """Make a key (P-256) and a certificate that nobody trusts, for lessons and tests.

    C2PA asks of a signer's certificate: not a CA, key usage digital signature, extended key usage
    e-mail protection or document signing, an authority key identifier, X.509 v3. It may not be
    self-signed, so it gets a root of its own, whose key is thrown away.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _n in range(2))
    root_name = f"{name} (test root)"
    root = _certificate(root_name, root_key.public_key(), root_name, root_key, is_root=True)
    own = _certificate(name, key.public_key(), root_name, root_key, is_root=False)
    pem = serialization.Encoding.PEM
    return Certificate(
        key_pem=key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        chain_pem=own.public_bytes(pem) + root.public_bytes(pem),
    )


def _certificate(name: str, public: Any, issuer: str, issuer_key: Any, *, is_root: bool) -> Any:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    def named(text: str) -> x509.Name:
        organisation = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Doorzicht (for tests)")
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text), organisation])

    now, day = dt.datetime.now(dt.UTC), dt.timedelta(days=1)
    usage = x509.KeyUsage(
        digital_signature=not is_root,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_root,
        crl_sign=is_root,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(issuer))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + 365 * day)
        .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )
    if not is_root:
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(purpose, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())
