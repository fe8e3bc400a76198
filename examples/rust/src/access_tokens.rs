//! Checks Latchkey's access tokens offline (RFC 9068 section 4) and refuses as RFC 6750 section 3 says.
use std::time::Duration;

use axum::{
    Json,
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use reqwest::redirect::Policy;
use serde::Deserialize;

use crate::{
    keys::Keys,
    status_lists::{Reference, StatusLists},
};

/// By how much the clocks of two machines may differ.
const LEEWAY_SECONDS: u64 = 30;

/// What a verified token says.
#[derive(Deserialize)]
pub struct Bearer {
    pub sub: String,
    #[serde(default)]
    scope: String,
    status: Option<Status>,
}

#[derive(Deserialize)]
struct Status {
    status_list: Option<Reference>,
}

/// Why a request is refused; a fault says nothing about the token, and the client must not throw it away.
pub enum Refusal {
    NoToken { scope: &'static str },
    InvalidToken,
    InsufficientScope { scope: &'static str },
    Unavailable,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, error, name, value): (_, _, HeaderName, String) = match self {
            Self::NoToken { scope } => (
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                header::WWW_AUTHENTICATE,
                format!(r#"Bearer scope="{scope}""#),
            ),
            Self::InvalidToken => (
                StatusCode::UNAUTHORIZED,
                "invalid_token",
                header::WWW_AUTHENTICATE,
                r#"Bearer error="invalid_token""#.into(),
            ),
            Self::InsufficientScope { scope } => (
                StatusCode::FORBIDDEN,
                "insufficient_scope",
                header::WWW_AUTHENTICATE,
                format!(r#"Bearer error="insufficient_scope", scope="{scope}""#),
            ),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "temporarily_unavailable",
                header::RETRY_AFTER,
                "5".into(),
            ),
        };
        (status, [(name, value)], Json(serde_json::json!({ "error": error }))).into_response()
    }
}

pub struct AccessTokens {
    keys: Keys,
    status_lists: StatusLists,
    validation: Validation,
}

impl AccessTokens {
    pub fn new(issuer: String, audience: String) -> reqwest::Result<Self> {
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_issuer(&[&issuer]);
        validation.set_audience(&[&audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(5))
            .redirect(Policy::none())
            .build()?;
        Ok(Self {
            keys: Keys::new(&issuer, client.clone()),
            status_lists: StatusLists::new(&issuer, client),
            validation,
        })
    }

    /// The bearer of a request, who must have the scope.
    pub async fn bearer_of(&self, headers: &HeaderMap, scope: &'static str) -> Result<Bearer, Refusal> {
        let token = bearer_token(headers).ok_or(Refusal::NoToken { scope })?;
        let bearer = self.verify(token).await?;
        if bearer.scope.split(' ').any(|granted| granted == scope) {
            Ok(bearer)
        } else {
            Err(Refusal::InsufficientScope { scope })
        }
    }

    async fn verify(&self, token: &str) -> Result<Bearer, Refusal> {
        let header = decode_header(token).map_err(|_| Refusal::InvalidToken)?;
        let typ = header.typ.unwrap_or_default().to_lowercase();
        if typ != "at+jwt" && typ != "application/at+jwt" {
            return Err(Refusal::InvalidToken);
        }
        let key = self.keys.find(&header.kid.ok_or(Refusal::InvalidToken)?).await?;
        let decoded = decode::<Bearer>(token, &key, &self.validation);
        let bearer = decoded.map_err(|_| Refusal::InvalidToken)?.claims;
        if self.is_revoked(&bearer).await? { Err(Refusal::InvalidToken) } else { Ok(bearer) }
    }

    async fn is_revoked(&self, bearer: &Bearer) -> Result<bool, Refusal> {
        match bearer.status.as_ref().and_then(|status| status.status_list.as_ref()) {
            Some(reference) => self.status_lists.is_revoked(reference, &self.keys).await,
            None => Ok(false),
        }
    }
}

fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
