"""A file whose Content Credentials lie elsewhere: what a beacon would be made of."""

from __future__ import annotations

from pathlib import Path

from toolkit.media import credentials


def remote(clip: Path, certificate, out: Path, url: str) -> Path:
    """Write a file that only names the address of its manifest."""
    import c2pa

    action = {"action": "c2pa.created", "digitalSourceType": credentials._SOURCE_TYPE}
    manifest = {
        "claim_generator_info": [{"name": "test"}],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [action]}}],
    }
    builder = c2pa.Builder(manifest, c2pa.Context(c2pa.Settings.from_dict(credentials.OFFLINE)))
    builder.set_no_embed()
    builder.set_remote_url(url)
    signer = c2pa.Signer.from_info(
        c2pa.C2paSignerInfo(b"es256", certificate.chain_pem, certificate.key_pem, None)
    )
    with clip.open("rb") as source, out.open("wb+") as target:
        builder.sign(signer, "video/mp4", source, target)
    return out
