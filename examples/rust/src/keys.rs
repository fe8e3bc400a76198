//! Latchkey's published keys, kept for five minutes.
use std::time::{Duration, Instant};

use jsonwebtoken::{DecodingKey, jwk::JwkSet};
use tokio::sync::Mutex;

use crate::access_tokens::Refusal;

/// Latchkey publishes a key a week before it signs with it, and drops one that leaked at once.
const KEPT_FOR: Duration = Duration::from_secs(300);
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(30);

struct Kept {
    keys: JwkSet,
    fetched: Instant,
    /// When they were last asked for, in vain or not.
    asked: Instant,
}

pub struct Keys {
    url: String,
    client: reqwest::Client,
    kept: Mutex<Option<Kept>>,
}

impl Keys {
    pub fn new(issuer: &str, client: reqwest::Client) -> Self {
        Self { url: format!("{issuer}/.well-known/jwks.json"), client, kept: Mutex::new(None) }
    }

    /// The key of that name. The keys are asked for when they are old and for one that is not known, but at
    /// most twice a minute.
    pub async fn find(&self, kid: &str) -> Result<DecodingKey, Refusal> {
        let mut kept = self.kept.lock().await;
        let is_known = kept.as_ref().is_some_and(|kept| kept.keys.find(kid).is_some());
        let is_due = kept.as_ref().is_none_or(|kept| {
            let is_fresh = is_known && kept.fetched.elapsed() < KEPT_FOR;
            kept.asked.elapsed() >= ASKED_AGAIN_AFTER && !is_fresh
        });
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
        let kept = kept.as_ref().ok_or(Refusal::Unavailable)?;
        match kept.keys.find(kid) {
            Some(jwk) => DecodingKey::from_jwk(jwk).map_err(|_| Refusal::InvalidToken),
            None if kept.asked > kept.fetched => Err(Refusal::Unavailable),
            None => Err(Refusal::InvalidToken),
        }
    }

    async fn fetch(&self) -> reqwest::Result<JwkSet> {
        self.client.get(&self.url).send().await?.error_for_status()?.json().await
    }
}
