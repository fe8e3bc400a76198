//! Checks Latchkey's access tokens offline (RFC 9068 section 4) and refuses as RFC 6750 section 3 says.
use std::time::{Duration, Instant};

use axum::{
    Json,
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
use serde::Deserialize;
use tokio::sync::Mutex;

/// Latchkey publishes a key a week before it signs with it, and drops one that leaked at once.
const KEPT_FOR: Duration = Duration::from_secs(300);
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(30);

/// What a verified token says.
#[derive(Deserialize)]
pub struct Bearer {
    pub sub: String,
    #[serde(default)]
    scope: String,
}

/// Why a request is refused; a fault says nothing about the token, and the client must not throw it away.
pub enum Refusal {
    NoToken { scope: &'static str },
    InvalidToken,
    InsufficientScope { scope: &'static str },
    KeysUnreachable,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, error, name, value): (_, _, HeaderName, String) = match self {
            Self::NoToken { scope } => (StatusCode::UNAUTHORIZED, "unauthorized", header::WWW_AUTHENTICATE, format!(r#"Bearer scope="{scope}""#)),
            Self::InvalidToken => (StatusCode::UNAUTHORIZED, "invalid_token", header::WWW_AUTHENTICATE, r#"Bearer error="invalid_token""#.into()),
            Self::InsufficientScope { scope } => (
                StatusCode::FORBIDDEN,
                "insufficient_scope",
                header::WWW_AUTHENTICATE,
                format!(r#"Bearer error="insufficient_scope", scope="{scope}""#),
            ),
            Self::KeysUnreachable => (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", header::RETRY_AFTER, "5".into()),
        };
        (status, [(name, value)], Json(serde_json::json!({ "error": error }))).into_response()
    }
}

struct Kept {
    keys: JwkSet,
    fetched: Instant,
    /// When they were last asked for, in vain or not.
    asked: Instant,
}

pub struct AccessTokens {
    jwks_url: String,
    validation: Validation,
    client: reqwest::Client,
    kept: Mutex<Option<Kept>>,
}

impl AccessTokens {
    pub fn new(issuer: String, audience: String) -> reqwest::Result<Self> {
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_issuer(&[&issuer]);
        validation.set_audience(&[&audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.leeway = 0;
        Ok(Self {
            jwks_url: format!("{issuer}/.well-known/jwks.json"),
            validation,
            client: reqwest::Client::builder().timeout(Duration::from_secs(5)).build()?,
            kept: Mutex::new(None),
        })
    }

    /// The bearer of a request, who must have the scope.
    pub async fn bearer_of(&self, headers: &HeaderMap, scope: &'static str) -> Result<Bearer, Refusal> {
        let token = bearer_token(headers).ok_or(Refusal::NoToken { scope })?;
        let bearer = self.verify(token).await?;
        if bearer.scope.split(' ').any(|granted| granted == scope) { Ok(bearer) } else { Err(Refusal::InsufficientScope { scope }) }
    }

    async fn verify(&self, token: &str) -> Result<Bearer, Refusal> {
        let header = decode_header(token).map_err(|_| Refusal::InvalidToken)?;
        let typ = header.typ.unwrap_or_default().to_lowercase();
        if typ != "at+jwt" && typ != "application/at+jwt" {
            return Err(Refusal::InvalidToken);
        }
        let key = self.key(&header.kid.ok_or(Refusal::InvalidToken)?).await?;
        Ok(decode::<Bearer>(token, &key, &self.validation).map_err(|_| Refusal::InvalidToken)?.claims)
    }

    /// The key of that name. The keys are asked for when they are old and for one that is not known, but at most twice a minute.
    async fn key(&self, kid: &str) -> Result<DecodingKey, Refusal> {
        let mut kept = self.kept.lock().await;
        let is_known = kept.as_ref().is_some_and(|kept| kept.keys.find(kid).is_some());
        let is_due = kept.as_ref().is_none_or(|kept| kept.asked.elapsed() >= ASKED_AGAIN_AFTER && !(is_known && kept.fetched.elapsed() < KEPT_FOR));
        if is_due {
            let now = Instant::now();
            match self.fetch().await {
                Ok(keys) => *kept = Some(Kept { keys, fetched: now, asked: now }),
                // While Latchkey is away the known ones stay in force.
                Err(_) => {
                    if let Some(kept) = kept.as_mut() {
                        kept.asked = now;
                    }
                }
            }
        }
        let kept = kept.as_ref().ok_or(Refusal::KeysUnreachable)?;
        match kept.keys.find(kid) {
            Some(jwk) => DecodingKey::from_jwk(jwk).map_err(|_| Refusal::InvalidToken),
            None if kept.asked > kept.fetched => Err(Refusal::KeysUnreachable),
            None => Err(Refusal::InvalidToken),
        }
    }

    async fn fetch(&self) -> reqwest::Result<JwkSet> {
        self.client.get(&self.jwks_url).send().await?.error_for_status()?.json().await
    }
}

fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
