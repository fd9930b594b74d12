// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / jwt/verify: signatures of JSON web tokens, checked by ring, which TLS uses as well. In: a key, an algorithm. Out: a check.
//! Never signs. Read next: `../jwt.rs`.

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::signature::{Error, Verifier};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind, EncodingKey};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};

/// Lets the library check signatures with ring. Safe to repeat.
pub(super) fn install() {
    static RING: CryptoProvider = CryptoProvider {
        signer_factory: no_signer,
        verifier_factory: verifier,
        // Only for making keys out of other keys, which nothing here does.
        key_utils: KeyUtils::new_unimplemented(),
    };
    // It fails when it was done before, which is the same.
    let _ = RING.install_default();
}

fn no_signer(_: &Algorithm, _: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    Err(ErrorKind::UnsupportedAlgorithm.into())
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    let family = match algorithm {
        Algorithm::RS256 => AlgorithmFamily::Rsa,
        Algorithm::ES256 => AlgorithmFamily::Ec,
        Algorithm::EdDSA => AlgorithmFamily::Ed,
        _ => return Err(ErrorKind::UnsupportedAlgorithm.into()),
    };
    if key.family() != family {
        return Err(ErrorKind::InvalidKeyFormat.into());
    }
    Ok(Box::new(Check {
        algorithm: *algorithm,
        key: key.clone(),
    }))
}

/// The check of one signature.
struct Check {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl JwtVerifier for Check {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl Verifier<Vec<u8>> for Check {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        let bytes = |with: &'static dyn VerificationAlgorithm| {
            let key = self.key.try_get_as_bytes().map_err(|_| Error::new())?;
            let key = UnparsedPublicKey::new(with, key);
            key.verify(message, signature).map_err(|_| Error::new())
        };
        match (self.algorithm, self.key.kind()) {
            (Algorithm::RS256, DecodingKeyKind::RsaModulusExponent { n, e }) => {
                // Shorter keys than 2048 bits are refused.
                let key = RsaPublicKeyComponents { n, e };
                let checked = key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature);
                checked.map_err(|_| Error::new())
            }
            (Algorithm::ES256, _) => bytes(&ECDSA_P256_SHA256_FIXED),
            (Algorithm::EdDSA, _) => bytes(&ED25519),
            _ => Err(Error::new()),
        }
    }
}
