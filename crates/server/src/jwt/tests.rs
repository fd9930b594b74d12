// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / jwt/tests: tokens of an issuer made here. In: claims and keys. Out: who it is, or why it does not hold.
//! Read next: `../jwt.rs`.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use golem_model::api::{Role, Roles};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use serde_json::{Value as Json, json};

use super::issuers::parse;
use super::*;

/// Modulus of an RSA key that was made for this test and thrown away.
const RSA_N: &str = "ruIGoWaevH212R-m5Y-JWHhYnrVk3FG6VDU_q2_TU77mVQMNHfqKMNiteR2VszOrnq957BiTm2spvevYAL5B6D37NYivDdrId7FY\
     MFUcCPP1Ft161guvMNcjJPxny_7sac2EiHzQTEiSm2bWfPghrfTuKaZZKaJzQSMSFYNylDCXe5hBUQoO1e1rYxp6IfLQnq_ZC2i_\
     XRu5caeHugDuiK43Pi76sRvlYvIrHDp8oU9WYV1_tl1_TZmN4ZOkDkJ6VnFSLI6jl-L7u2bJgOaA1gDhEWA-VQnrnq_2qWa6Yr_8\
     E14tvsQP92-KTZ3m9jfd5zb2HFEIF9G5y9uKT4C-jw";
/// A token that was signed with it, which holds until the year 3000.
const RSA_TOKEN: &str = "eyJhbGciOiAiUlMyNTYiLCAidHlwIjogIkpXVCIsICJraWQiOiAicnNhIn0.eyJpc3MiOiAiaHR0cHM6Ly9pc3N1ZXIudGVzdC8i\
     LCAiYXVkIjogImdvbGVtIiwgInN1YiI6ICJyaXRhIiwgImV4cCI6IDMyNTAzNjgwMDAwLCAiZ3JvdXBzIjogWyJhZG1pbnMiXX0.\
     G8-mwSkljmSHYjBv4glCMmRRQYDTBHPkCOTT0CJhCXdxsomEg0jATI6c_FFCnITI0agdlV-GjaQRR7wTWrUVHSTsucyZ--l5_p_F\
     qHuLxXZu2IwZfIuCY4XJEdTHEk7YyAXrvzPJcg-qRv8kZMEogMz6A5_VIs96xuKNpa9iVd_kAbecFvnpLeCGbLK541fvG21LjViI\
     PsVbIrTa4Mhgvof8WYZ7R0oBYpRQQ7Z5zyJgyjRqgFBiFmOK0w7U6ivVblA7xsCgiMNJD7LcvWcRC9XJZQAfmcEl7XBOtQjWn6P6\
     GyyMfdYdvvI63hwc8HCn7UCwFxwM3RIkttXvjb98GQ";

const ISSUER: &str = "https://issuer.test/";

/// An issuer with an Ed25519 key, an ES256 key and the RSA key above.
pub(crate) struct Vouching {
    dir: tempfile::TempDir,
    ed: Ed25519KeyPair,
    ec: EcdsaKeyPair,
}

fn text(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

impl Vouching {
    pub(crate) fn new() -> Self {
        let random = SystemRandom::new();
        let pair = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        let ed = Ed25519KeyPair::from_pkcs8(pair.as_ref()).unwrap();
        let with = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pair = EcdsaKeyPair::generate_pkcs8(with, &random).unwrap();
        let ec = EcdsaKeyPair::from_pkcs8(with, pair.as_ref(), &random).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let gym = Self { dir, ed, ec };
        gym.publish(&["ed", "ec", "rsa"]);
        gym
    }

    /// Writes the set of keys.
    fn publish(&self, ids: &[&str]) {
        let point = self.ec.public_key().as_ref();
        let keys: Vec<Json> = ids
            .iter()
            .map(|id| match *id {
                "ec" => json!({"kid": "ec", "kty": "EC", "crv": "P-256", "x": text(&point[1..33]), "y": text(&point[33..])}),
                "rsa" => json!({"kid": "rsa", "kty": "RSA", "alg": "RS256", "use": "sig", "n": RSA_N, "e": "AQAB"}),
                id => json!({"kid": id, "kty": "OKP", "crv": "Ed25519", "x": text(self.ed.public_key())}),
            })
            .collect();
        fs::write(
            self.dir.path().join("keys.json"),
            json!({ "keys": keys }).to_string(),
        )
        .unwrap();
    }

    /// The issuers of a file with these lines more.
    pub(crate) fn open(&self, algorithms: &str, more: &str) -> Result<Jwt, IssuersError> {
        let keys = self.dir.path().join("keys.json");
        let file = self.dir.path().join("issuers.yaml");
        let lines = format!(
            "issuers:\n  - issuer: {ISSUER}\n    audience: [golem]\n    jwks: {}\n    algorithms: [{algorithms}]\n{more}",
            keys.display()
        );
        fs::write(&file, lines).unwrap();
        Jwt::open(&file)
    }

    /// A token that this issuer has signed.
    pub(crate) fn token(&self, header: &Json, claims: &Json) -> String {
        let message = format!("{}.{}", text(header.to_string()), text(claims.to_string()));
        let signature = match header["alg"].as_str().unwrap() {
            "EdDSA" => self.ed.sign(message.as_bytes()).as_ref().to_vec(),
            _ => {
                let signed = self.ec.sign(&SystemRandom::new(), message.as_bytes());
                signed.unwrap().as_ref().to_vec()
            }
        };
        format!("{message}.{}", text(signature))
    }
}

/// The head of a token that the Ed25519 key has signed.
pub(crate) fn ed() -> Json {
    json!({"alg": "EdDSA", "kid": "ed"})
}

/// Claims that hold, but for those that are given.
pub(crate) fn claims(others: Json) -> Json {
    let mut claims =
        json!({"iss": ISSUER, "aud": ["other", "golem"], "sub": "u1", "exp": seconds() + 600});
    for (name, value) in others.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

#[tokio::test]
async fn each_algorithm_is_checked_and_only_those_that_were_named() {
    let gym = Vouching::new();
    let all = gym.open("EdDSA, ES256, RS256", "").unwrap();
    let ec = json!({"alg": "ES256", "kid": "ec"});
    for (header, id) in [(ed(), "u1"), (ec, "u1"), (json!({"alg": "EdDSA"}), "u1")] {
        let found = all
            .subject(&gym.token(&header, &claims(json!({}))))
            .await
            .unwrap();
        assert_eq!(
            (found.id, found.name.as_str()),
            (format!("{ISSUER} {id}"), id)
        );
    }
    assert_eq!(all.subject(RSA_TOKEN).await.unwrap().name, "rita");
    let one = gym.open("ES256", "").unwrap();
    let token = gym.token(&ed(), &claims(json!({})));
    assert_eq!(one.subject(&token).await, Err(JwtError::Algorithm));
    assert_eq!(one.subject(RSA_TOKEN).await, Err(JwtError::Algorithm));
    // Somebody takes the public key for the secret of another algorithm, or none at all.
    for alg in ["none", "HS256"] {
        let message = format!(
            "{}.{}",
            text(json!({"alg": alg, "kid": "ec"}).to_string()),
            text(claims(json!({})).to_string())
        );
        let refused = one.subject(&format!("{message}.")).await.unwrap_err();
        assert!(
            matches!(refused, JwtError::Malformed | JwtError::Algorithm),
            "{alg}: {refused}"
        );
    }
    // The key of one algorithm under the name of another.
    let crossed = gym.token(&json!({"alg": "ES256", "kid": "ed"}), &claims(json!({})));
    assert_eq!(one.subject(&crossed).await, Err(JwtError::UnknownKey));
}

#[tokio::test]
async fn a_token_holds_for_its_time_its_audience_and_as_it_was_signed() {
    let gym = Vouching::new();
    let jwt = gym.open("EdDSA", "").unwrap();
    let now = seconds();
    let refused = [
        (json!({"exp": now - 61}), JwtError::Expired),
        (json!({"exp": null}), JwtError::Expired),
        (json!({"nbf": now + 90}), JwtError::Early),
        (json!({"aud": "other"}), JwtError::Audience),
        (json!({"aud": null}), JwtError::Audience),
        (
            json!({"iss": "https://evil.test/"}),
            JwtError::UnknownIssuer,
        ),
    ];
    for (others, error) in refused {
        let token = gym.token(&ed(), &claims(others.clone()));
        assert_eq!(jwt.subject(&token).await, Err(error), "{others}");
    }
    for others in [
        json!({"exp": now - 30}),
        json!({"nbf": now + 30}),
        json!({"aud": "golem"}),
    ] {
        let token = gym.token(&ed(), &claims(others.clone()));
        assert!(jwt.subject(&token).await.is_ok(), "{others}");
    }
    for others in [
        json!({"sub": null}),
        json!({"sub": 7}),
        json!({"iss": null}),
        json!({"exp": "soon"}),
    ] {
        let token = gym.token(&ed(), &claims(others.clone()));
        assert!(jwt.subject(&token).await.is_err(), "{others}");
    }
    let token = gym.token(&ed(), &claims(json!({})));
    let (message, signature) = token.rsplit_once('.').unwrap();
    let (header, _) = message.split_once('.').unwrap();
    let forged = text(claims(json!({"sub": "root"})).to_string());
    let forged = format!("{header}.{forged}.{signature}");
    assert_eq!(jwt.subject(&forged).await, Err(JwtError::Signature));
    for torn in ["", "a.b.c", message, &token.repeat(100)] {
        assert_eq!(jwt.subject(torn).await, Err(JwtError::Malformed), "{torn}");
    }
}

#[tokio::test]
async fn a_new_key_is_looked_for_once_and_made_up_ones_ask_nobody() {
    let gym = Vouching::new();
    gym.publish(&["ec"]);
    let jwt = gym.open("EdDSA", "").unwrap();
    gym.publish(&["ed"]);
    let token = gym.token(&ed(), &claims(json!({})));
    assert!(jwt.subject(&token).await.is_ok(), "the set is read again");
    gym.publish(&["ed", "ed2"]);
    let other = gym.token(&json!({"alg": "EdDSA", "kid": "ed2"}), &claims(json!({})));
    // It was read a moment ago.
    assert_eq!(jwt.subject(&other).await, Err(JwtError::UnknownKey));
}

#[tokio::test]
async fn keys_that_cannot_be_had_are_told_from_tokens_that_do_not_hold() {
    let gym = Vouching::new();
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let file = gym.dir.path().join("away.yaml");
    let url = format!("http://127.0.0.1:{port}/keys");
    let lines = format!(
        "issuers: [{{issuer: '{ISSUER}', audience: [golem], jwks: '{url}', algorithms: [EdDSA]}}]"
    );
    fs::write(&file, lines).unwrap();
    let jwt = tokio::task::spawn_blocking(move || Jwt::open(&file))
        .await
        .unwrap()
        .unwrap();
    let token = gym.token(&ed(), &claims(json!({})));
    let issuer = ISSUER.to_owned();
    assert_eq!(
        jwt.subject(&token).await,
        Err(JwtError::KeysAway { issuer })
    );
    let plain = keys::Keys::new("http://192.0.2.1/keys".to_owned(), None);
    assert!(matches!(
        plain.fetch_now(),
        Err(keys::KeysError::Plain { .. })
    ));
}

#[tokio::test]
async fn claims_become_roles() {
    let gym = Vouching::new();
    let more = "    nameClaim: email
    rolesClaim: https://golem/roles
    rules:
      - {claim: groups, value: admins, role: owner}
      - {claim: groups, value: a-team, role: deployer, namespace: a}
      - {claim: /realm/groups, value: watchers, role: viewer}
";
    let jwt = gym.open("EdDSA, RS256", more).unwrap();
    let roles = async |others: Json| {
        let token = gym.token(&ed(), &claims(others));
        jwt.subject(&token).await.unwrap().roles
    };
    let a = || "a".parse().unwrap();
    assert_eq!(roles(json!({})).await, Roles::default());
    assert_eq!(
        roles(json!({"groups": "a-team"})).await,
        Roles::within(a(), Role::Deployer)
    );
    let both = roles(json!({"groups": ["a-team", "admins", "x"]})).await;
    assert_eq!(
        (both.role, both.of(&a())),
        (Some(Role::Owner), Some(Role::Owner))
    );
    let deep = roles(json!({"realm": {"groups": ["watchers"]}})).await;
    assert_eq!(deep, Roles::everywhere(Role::Viewer));
    let listed =
        roles(json!({"https://golem/roles": ["a=owner", "b=boss", "=viewer", "B=viewer"]})).await;
    assert_eq!(listed, Roles::within(a(), Role::Owner));
    let object =
        roles(json!({"https://golem/roles": {"a": "invoker", "b": 7}, "groups": "a-team"})).await;
    assert_eq!(object, Roles::within(a(), Role::Deployer));
    let token = gym.token(&ed(), &claims(json!({"email": "u@x\n.test"})));
    assert_eq!(jwt.subject(&token).await.unwrap().name, "u@x\\n.test");
    assert_eq!(
        jwt.subject(RSA_TOKEN).await.unwrap().roles,
        Roles::everywhere(Role::Owner)
    );
}

#[test]
fn a_file_that_lets_in_too_many_is_refused() {
    let gym = Vouching::new();
    for (text, why) in [
        ("issuers: []", "1 to"),
        (
            "issuers: [{issuer: i, audience: [], jwks: k, algorithms: [RS256]}]",
            "audience",
        ),
        (
            "issuers: [{issuer: i, audience: [a], jwks: k, algorithms: []}]",
            "algorithms",
        ),
        (
            "issuers: [{issuer: i, audience: [a], jwks: k, algorithms: [HS256]}]",
            "HS256",
        ),
        (
            "issuers: [{issuer: i, audience: [a], jwks: k, algorithms: [RS256], extra: 1}]",
            "extra",
        ),
        (
            "issuers: [{issuer: i, audience: [a], jwks: k, algorithms: [RS256], rules: [{claim: c, value: v, role: boss}]}]",
            "boss",
        ),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.contains(why), "{text}: {error}");
    }
    fs::write(gym.dir.path().join("keys.json"), "{}").unwrap();
    let none = gym.open("EdDSA", "");
    assert!(matches!(none.err(), Some(IssuersError::Keys { .. })));
    let absent = Jwt::open(Path::new("/nowhere/issuers.yaml"));
    assert!(matches!(absent.err(), Some(IssuersError::File { .. })));
}
