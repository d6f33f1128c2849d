//! An authority, and what it has signed.

use std::fs;
use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Files: `ca`, `other` (an authority that has signed nothing), servers `server` (127.0.0.1, localhost and
/// api.test), `elsewhere` (elsewhere.test) and `expired`, clients `alice` and `bob`; each `.crt` and `.key`.
/// Servers for the same names that are odd: `selfish` and `plain` have signed themselves, as what may sign others
/// and as what may not; `leaf` is signed by `unseen`, `upper` by `ca` as what may sign others, and `long` is of the
/// curve P-521, as are the authority `curve` that has signed it and the client `carol`. Clients `dave` (Ed25519),
/// `erin` (P-384) and `frank` (RSA of 4096 bits) are signed by `ca`.
pub struct Certificates {
    directory: tempfile::TempDir,
}

/// All who have a certificate of a client.
const CLIENTS: [&str; 6] = ["alice", "bob", "carol", "dave", "erin", "frank"];

impl Certificates {
    pub fn new() -> Self {
        let made = Self { directory: tempfile::tempdir().expect("scratch directory") };
        let issuer = made.authority("ca");
        made.authority("other");
        made.sign(&issuer, "server", &["127.0.0.1", "localhost", "api.test"], 2100);
        made.sign(&issuer, "elsewhere", &["elsewhere.test"], 2100);
        made.sign(&issuer, "expired", &["127.0.0.1", "localhost"], 2020);
        for client in ["alice", "bob"] {
            made.sign(&issuer, client, &[], 2100);
        }
        made.odd();
        made
    }

    pub fn path(&self, file: &str) -> String {
        self.directory.path().join(file).to_string_lossy().into_owned()
    }

    pub fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).expect("certificate")
    }

    /// The clients' certificates, as they come over the wire.
    pub fn known_clients(&self) -> Vec<(Vec<u8>, String)> {
        let der =
            |name: &str| CertificateDer::from_pem_file(self.path(&format!("{name}.crt"))).expect("client");
        CLIENTS.map(|name| (der(name).to_vec(), name.to_owned())).to_vec()
    }

    /// As openssl makes them.
    fn odd(&self) {
        const HOSTS: &str = "subjectAltName=DNS:localhost,DNS:api.test,IP:127.0.0.1";
        let curve = |name: &'static str| ["-newkey", "ec", "-pkeyopt", name];
        let p256 = curve("ec_paramgen_curve:P-256");
        let p521 = curve("ec_paramgen_curve:P-521");
        let make = |name: &str, kind: &[&str], issuer: Option<&str>, more: &[&str]| {
            let (key, certificate, subject) =
                (format!("{name}.key"), format!("{name}.crt"), format!("/CN={name}"));
            let issuer = issuer.map(|issuer| (format!("{issuer}.crt"), format!("{issuer}.key")));
            let signed: Vec<&str> =
                issuer.iter().flat_map(|(crt, key)| ["-CA", crt.as_str(), "-CAkey", key.as_str()]).collect();
            let words = [
                "req",
                "-x509",
                "-nodes",
                "-days",
                "2",
                "-subj",
                &subject,
                "-keyout",
                &key,
                "-out",
                &certificate,
            ];
            let ended = Command::new("openssl")
                .args(words)
                .args(kind)
                .args(signed)
                .args(more)
                .current_dir(self.directory.path())
                .output()
                .expect("openssl");
            assert!(ended.status.success(), "{name}: {}", String::from_utf8_lossy(&ended.stderr));
        };
        let no_authority = ["-addext", HOSTS, "-addext", "basicConstraints=critical,CA:FALSE"];
        make("selfish", &p256, None, &["-addext", HOSTS]);
        make("plain", &p256, None, &no_authority);
        make("unseen", &p256, None, &[]);
        make("leaf", &p256, Some("unseen"), &no_authority);
        make("upper", &p256, Some("ca"), &["-addext", HOSTS]);
        make("curve", &p521, None, &[]);
        make("long", &p521, Some("curve"), &no_authority);
        let client = ["-addext", "basicConstraints=critical,CA:FALSE"];
        make("carol", &p521, Some("curve"), &client);
        make("dave", &["-newkey", "ed25519"], Some("ca"), &client);
        make("erin", &curve("ec_paramgen_curve:P-384"), Some("ca"), &client);
        make("frank", &["-newkey", "rsa:4096"], Some("ca"), &client);
    }

    fn authority(&self, name: &str) -> CertifiedIssuer<'static, KeyPair> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let issuer =
            CertifiedIssuer::self_signed(params, KeyPair::generate().expect("key")).expect("authority");
        self.write(name, &issuer.pem(), &issuer.key().serialize_pem());
        issuer
    }

    fn sign(&self, issuer: &CertifiedIssuer<'static, KeyPair>, name: &str, hosts: &[&str], until: i32) {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).expect("names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().expect("key");
        let signed = params.signed_by(&key, issuer).expect("certificate");
        self.write(name, &signed.pem(), &key.serialize_pem());
    }

    fn write(&self, name: &str, certificate: &str, key: &str) {
        fs::write(self.path(&format!("{name}.crt")), certificate).expect("certificate");
        fs::write(self.path(&format!("{name}.key")), key).expect("key");
    }
}
