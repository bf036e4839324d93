"""A small authority for tests, made with the openssl command: certificates with any names and any dates."""
import datetime, pathlib, subprocess

CONF = """[ca]
default_ca = ca
[ca]
database = {d}/index
serial = {d}/serial
new_certs_dir = {d}
unique_subject = no
default_md = sha256
policy = any
email_in_dn = no
rand_serial = yes
[any]
commonName = supplied
"""


def openssl(*argv, text=None):
    p = subprocess.run(["openssl", *map(str, argv)], input=text, capture_output=True, text=True, timeout=60)
    if p.returncode:
        raise RuntimeError(f"openssl {argv}: {p.stderr}")
    return p.stdout


def key(to):
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-out", to)
    to.chmod(0o644)  # nobody reads them all


class Authority:
    """NAME.pem and NAME.key in `folder`; `subject` may be the same as another one's."""

    def __init__(self, folder, name, subject=None):
        self.dir = pathlib.Path(folder)
        self.work = self.dir / f"{name}.d"
        self.work.mkdir()
        self.cert, self.key = self.dir / f"{name}.pem", self.dir / f"{name}.key"
        key(self.key)
        openssl("req", "-x509", "-new", "-key", self.key, "-days", "3", "-subj", f"/CN={subject or name}", "-out", self.cert)
        self.cert.chmod(0o644)
        (self.work / "index").write_text("")
        (self.work / "conf").write_text(CONF.format(d=self.work))

    def issue(self, name, names="", hours=(-1, 48), subject=None):
        """NAME.pem, NAME.key and both in NAME.both; names as in subjectAltName, hours from now."""
        cert, own, both = (self.dir / f"{name}.{e}" for e in ("pem", "key", "both"))
        key(own)
        request = openssl("req", "-new", "-key", own, "-subj", f"/CN={subject or name}")
        now = datetime.datetime.now(datetime.timezone.utc)
        begin, end = ((now + datetime.timedelta(hours=h)).strftime("%Y%m%d%H%M%SZ") for h in hours)
        extensions = self.work / f"{name}.ext"
        extensions.write_text((f"subjectAltName = {names}\n" if names else "") + "basicConstraints = CA:FALSE\n")
        openssl("ca", "-batch", "-notext", "-config", self.work / "conf", "-cert", self.cert, "-keyfile", self.key, "-startdate", begin,
                "-enddate", end, "-extfile", extensions, "-in", "/dev/stdin", "-out", cert, text=request)
        both.write_text(cert.read_text() + own.read_text())
        cert.chmod(0o644)
        both.chmod(0o644)
        return both
