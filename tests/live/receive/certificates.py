"""Certificates for a test: authorities, a server's, a client's, one of a stranger and one that is over."""

from __future__ import annotations

import subprocess
from pathlib import Path


def made(folder: Path) -> Path:
    """Write ca, server, client, stranger-ca, stranger, expired (``.pem`` and ``.key``) to a folder."""
    for authority in ("ca", "stranger-ca"):
        _openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-keyout", folder / f"{authority}.key", "-out", folder / f"{authority}.pem"),
            *("-days", "2", "-subj", f"/CN={authority}"),
        )
    names = folder / "names.ext"
    names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n")
    for name, authority in (
        ("server", "ca"),
        ("client", "ca"),
        ("stranger", "stranger-ca"),
        ("expired", "ca"),
    ):
        request = folder / f"{name}.csr"
        _openssl(
            *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-keyout", folder / f"{name}.key", "-out", request, "-subj", f"/CN={name}"),
        )
        _sign(folder, name, authority, names)
    return folder


def _sign(folder: Path, name: str, authority: str, names: Path) -> None:
    """Sign a request; ``openssl ca`` is what takes dates of the past."""
    work = folder / f"sign-{name}"
    work.mkdir()
    (work / "index").touch()
    (work / "serial").write_text("01")
    config = work / "config"
    config.write_text(
        f"[ca]\ndefault_ca=x\n[x]\ndatabase={work / 'index'}\nserial={work / 'serial'}\n"
        f"new_certs_dir={work}\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n"
    )
    end = "20200102000000Z" if name == "expired" else "20991231000000Z"
    _openssl(
        *("ca", "-batch", "-notext", "-config", config, "-extfile", names),
        *("-cert", folder / f"{authority}.pem", "-keyfile", folder / f"{authority}.key"),
        *("-startdate", "20200101000000Z", "-enddate", end),
        *("-in", folder / f"{name}.csr", "-out", folder / f"{name}.pem"),
    )


def _openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
