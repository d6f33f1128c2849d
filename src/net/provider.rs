//! What TLS computes with: ring, and the curve P-521, which ring lacks and Go has.

use std::sync::{Arc, LazyLock};

use p521::ecdsa::signature::Signer as _;
use p521::ecdsa::signature::hazmat::PrehashVerifier;
use p521::ecdsa::{DerSignature, VerifyingKey};
use p521::elliptic_curve::pkcs8::DecodePrivateKey;
use rustls::crypto::{CryptoProvider, KeyProvider, WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::{
    AlgorithmIdentifier, InvalidSignature, PrivateKeyDer, SignatureVerificationAlgorithm,
    SubjectPublicKeyInfoDer, alg_id,
};
use rustls::sign::{Signer, SigningKey, public_key_to_spki};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};
use sha2::{Digest, Sha256, Sha384, Sha512};

/// The one provider of this program.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
        let ring = ring::default_provider();
        // They live as long as the program.
        let all = [ring.signature_verification_algorithms.all, &P521].concat().leak();
        let mapping = [ring.signature_verification_algorithms.mapping, &P521_SCHEMES].concat().leak();
        Arc::new(CryptoProvider {
            signature_verification_algorithms: WebPkiSupportedAlgorithms { all, mapping },
            key_provider: &Keys,
            ..ring
        })
    });
    Arc::clone(&PROVIDER)
}

/// Certificates of a P-521 authority may be signed with any of these hashes: openssl takes SHA-256 by default.
static P521: [&dyn SignatureVerificationAlgorithm; 3] =
    [&Verification(Hash::Sha512), &Verification(Hash::Sha384), &Verification(Hash::Sha256)];

/// In TLS 1.3 the scheme names curve and hash; in TLS 1.2 only the hash (RFC 8446, 4.2.3).
static P521_SCHEMES: [(SignatureScheme, &[&dyn SignatureVerificationAlgorithm]); 1] =
    [(SignatureScheme::ECDSA_NISTP521_SHA512, &[&Verification(Hash::Sha512)])];

#[derive(Clone, Copy, Debug)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// Verifies signatures of P-521 keys.
#[derive(Debug)]
struct Verification(Hash);

impl SignatureVerificationAlgorithm for Verification {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        /// Of a number of 521 bits.
        const BYTES: usize = 66;
        let hash = match self.0 {
            Hash::Sha256 => Sha256::digest(message).to_vec(),
            Hash::Sha384 => Sha384::digest(message).to_vec(),
            Hash::Sha512 => Sha512::digest(message).to_vec(),
        };
        // A hash is shorter than the number that it stands for (SEC 1, 4.1.4).
        let mut number = [0; BYTES];
        number[BYTES - hash.len()..].copy_from_slice(&hash);
        let key = VerifyingKey::from_sec1_bytes(public_key).map_err(|_| InvalidSignature)?;
        let signature = DerSignature::try_from(signature).map_err(|_| InvalidSignature)?;
        key.verify_prehash(&number, &signature).map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_P521
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        match self.0 {
            Hash::Sha256 => alg_id::ECDSA_SHA256,
            Hash::Sha384 => alg_id::ECDSA_SHA384,
            Hash::Sha512 => alg_id::ECDSA_SHA512,
        }
    }
}

/// Reads private keys.
#[derive(Debug)]
struct Keys;

impl KeyProvider for Keys {
    fn load_private_key(&self, der: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, Error> {
        let secret = match &der {
            PrivateKeyDer::Pkcs8(key) => p521::SecretKey::from_pkcs8_der(key.secret_pkcs8_der()).ok(),
            // Without the name of the curve in it, its length tells.
            PrivateKeyDer::Sec1(key) => p521::SecretKey::from_sec1_der(key.secret_sec1_der()).ok(),
            _ => None,
        };
        match secret {
            Some(secret) => Ok(Arc::new(Key(Arc::new(secret.into())))),
            None => ring::default_provider().key_provider.load_private_key(der),
        }
    }
}

/// A private key of the curve P-521. What it is does not show in any message.
struct Key(Arc<p521::ecdsa::SigningKey>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

impl SigningKey for Key {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered
            .contains(&SignatureScheme::ECDSA_NISTP521_SHA512)
            .then(|| Box::new(Self(Arc::clone(&self.0))) as _)
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        let point = self.0.verifying_key().to_sec1_point(false);
        Some(public_key_to_spki(&alg_id::ECDSA_P521, point.as_bytes()))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl Signer for Key {
    /// The nonce is made of key and message (RFC 6979): no random number is asked for.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let signature: DerSignature = self.0.sign(message);
        Ok(signature.as_bytes().to_vec())
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ECDSA_NISTP521_SHA512
    }
}
