//! Certificates that are odd, and that are wrong.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CertifiedKey, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};

use super::*;

/// A certificate for `a.test` and 127.0.0.1, made as `change` says.
fn params(change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = CertificateParams::new(["a.test".to_owned(), "127.0.0.1".to_owned()]).expect("names");
    params.distinguished_name.push(DnType::CommonName, "a");
    params.not_before = date_time_ymd(2019, 1, 1);
    params.not_after = date_time_ymd(2100, 1, 1);
    change(&mut params);
    params
}

const CA: IsCa = IsCa::Ca(BasicConstraints::Unconstrained);

fn own(change: impl FnOnce(&mut CertificateParams)) -> CertificateDer<'static> {
    let key = KeyPair::generate().expect("key");
    params(change).self_signed(&key).expect("certificate").der().clone()
}

fn authority(name: &str, change: impl FnOnce(&mut CertificateParams)) -> CertifiedIssuer<'static, KeyPair> {
    let made = params(|params| {
        params.is_ca = CA;
        params.distinguished_name.push(DnType::CommonName, name);
        change(params);
    });
    CertifiedIssuer::self_signed(made, KeyPair::generate().expect("key")).expect("authority")
}

fn signed(
    issuer: &Issuer<'_, KeyPair>,
    change: impl FnOnce(&mut CertificateParams),
) -> CertificateDer<'static> {
    let key = KeyPair::generate().expect("key");
    params(change).signed_by(&key, issuer).expect("certificate").der().clone()
}

fn verified(
    believed: &[&CertificateDer<'static>],
    shown: &CertificateDer<'static>,
    between: &[CertificateDer<'static>],
    name: &str,
) -> Result<(), String> {
    let authorities = Authorities::of(believed.iter().map(|&one| one.clone())).expect("authorities");
    let name = ServerName::try_from(name.to_owned()).expect("name");
    match Trust::new(authorities).verify_server_cert(shown, between, &name, &[], UnixTime::now()) {
        Ok(_) => Ok(()),
        Err(error) => Err(crate::net::of_tls(&error, "h")),
    }
}

fn refused(why: &str, verified: Result<(), String>) {
    let told = verified.expect_err(why);
    assert!(told.contains(why), "{told}");
}

#[test]
fn a_certificate_that_is_an_authority_itself_is_believed() {
    let kinds = [
        // As `openssl req -x509` makes it, and as most others do.
        own(|params| params.is_ca = CA),
        own(|_| ()),
        own(|params| params.is_ca = IsCa::ExplicitNoCa),
        own(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]),
        // A leaf: its own issuer is not known here.
        signed(&authority("unknown", |_| ()), |_| ()),
        signed(&authority("unknown", |_| ()), |params| params.is_ca = CA),
    ];
    for certificate in &kinds {
        for name in ["a.test", "127.0.0.1"] {
            assert_eq!(verified(&[certificate], certificate, &[], name), Ok(()), "{name}");
        }
        refused("x509: certificate is valid for", verified(&[certificate], certificate, &[], "b.test"));
        refused("x509: certificate is valid for", verified(&[certificate], certificate, &[], "127.0.0.2"));
    }
}

#[test]
fn what_is_wrong_with_one_of_them_counts() {
    let ended = |params: &mut CertificateParams| params.not_after = date_time_ymd(2020, 1, 1);
    let later = |params: &mut CertificateParams| params.not_before = date_time_ymd(2099, 1, 1);
    let clients = |params: &mut CertificateParams| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    };
    for is_ca in [CA, IsCa::NoCa] {
        for (why, change) in [
            ("has expired or is not yet valid", &ended as &dyn Fn(&mut CertificateParams)),
            ("has expired or is not yet valid", &later),
            ("incompatible key usage", &clients),
        ] {
            let certificate = own(|params| {
                params.is_ca = is_ca;
                change(params);
            });
            refused(why, verified(&[&certificate], &certificate, &[], "a.test"));
        }
    }
}

#[test]
fn another_with_the_same_name_is_not_believed() {
    let unknown = "certificate signed by unknown authority";
    for is_ca in [CA, IsCa::NoCa] {
        let make = || own(|params| params.is_ca = is_ca);
        // The same subject, and another key.
        refused(unknown, verified(&[&make()], &make(), &[], "a.test"));
    }
    // What is believed itself has signed nothing, unless it may.
    let key = KeyPair::generate().expect("key");
    let leaf = params(|params| params.is_ca = IsCa::NoCa);
    let certificate = leaf.self_signed(&key).expect("certificate").der().clone();
    let below = signed(&Issuer::new(leaf, key), |_| ());
    refused(unknown, verified(&[&certificate], &below, &[], "a.test"));
}

#[test]
fn a_server_may_show_a_certificate_that_could_sign_others() {
    let root = authority("root", |_| ());
    let as_authority = |params: &mut CertificateParams| params.is_ca = CA;
    let shown = signed(&root, as_authority);
    assert_eq!(verified(&[root.der()], &shown, &[], "a.test"), Ok(()));
    refused("x509: certificate is valid for", verified(&[root.der()], &shown, &[], "b.test"));
    let unknown = "certificate signed by unknown authority";
    refused(unknown, verified(&[authority("root", |_| ()).der()], &shown, &[], "a.test"));

    // With one between.
    let between = |change: &dyn Fn(&mut CertificateParams)| {
        let key = KeyPair::generate().expect("key");
        let made = params(|params| {
            params.is_ca = CA;
            params.distinguished_name.push(DnType::CommonName, "between");
            change(params);
        });
        let der = made.signed_by(&key, &root).expect("certificate").der().clone();
        (der, signed(&Issuer::new(made, key), as_authority))
    };
    let (middle, below) = between(&|_| ());
    assert_eq!(verified(&[root.der()], &below, std::slice::from_ref(&middle), "a.test"), Ok(()));
    refused(unknown, verified(&[root.der()], &below, &[], "a.test"));
    for change in [
        (&|params: &mut CertificateParams| params.is_ca = IsCa::NoCa) as &dyn Fn(&mut CertificateParams),
        &|params| params.not_after = date_time_ymd(2020, 1, 1),
        &|params| params.key_usages = vec![KeyUsagePurpose::DigitalSignature],
    ] {
        let (middle, below) = between(change);
        refused(unknown, verified(&[root.der()], &below, &[middle], "a.test"));
    }
    let narrow = authority("narrow", |params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
    assert_eq!(verified(&[narrow.der()], &signed(&narrow, as_authority), &[], "a.test"), Ok(()));
}

#[test]
fn an_authority_that_has_expired_has_signed_nothing() {
    let root = authority("root", |params| params.not_after = date_time_ymd(2020, 1, 1));
    refused(
        "certificate signed by unknown authority",
        verified(&[root.der()], &signed(&root, |_| ()), &[], "a.test"),
    );
}

#[test]
fn an_ordinary_certificate_is_verified_as_ever() {
    let root = authority("root", |_| ());
    assert_eq!(verified(&[root.der()], &signed(&root, |_| ()), &[], "a.test"), Ok(()));
    let expired = signed(&root, |params| params.not_after = date_time_ymd(2020, 1, 1));
    refused("has expired", verified(&[root.der()], &expired, &[], "a.test"));
}

#[test]
fn what_is_no_certificate_is_passed_over() {
    let CertifiedKey { cert, .. } =
        rcgen::generate_simple_self_signed(["a.test".to_owned()]).expect("certificate");
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(Authorities::read(format!("{broken}{}", cert.pem()).as_bytes()).is_ok());
    assert_eq!(
        Authorities::read(broken.as_bytes()).err().as_deref(),
        Some("no valid certificate authority data seen")
    );
    assert_eq!(Authorities::read(b"").err().as_deref(), Some("unable to parse bytes as PEM block"));
}
