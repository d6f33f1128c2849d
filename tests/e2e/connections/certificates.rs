//! An authority, and what it has signed.

use std::fs;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Files: `ca`, `other` (an authority that has signed nothing), servers `server` (127.0.0.1, localhost and
/// api.test), `elsewhere` (elsewhere.test) and `expired`, clients `alice` and `bob`; each `.crt` and `.key`.
pub struct Certificates {
    directory: tempfile::TempDir,
}

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
        ["alice", "bob"].map(|name| (der(name).to_vec(), name.to_owned())).to_vec()
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
