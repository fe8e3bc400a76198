//! Asks a status list whether a token was revoked (IETF Token Status List): one small file for a million
//! tokens, fetched when the copy is older than its `ttl`, instead of a question to Latchkey about each token.
use std::{
    collections::HashMap,
    io::Read,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::http::{StatusCode, header};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use flate2::read::ZlibDecoder;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header, get_current_timestamp};
use serde::Deserialize;

use crate::{access_tokens::Refusal, keys::Keys};

/// A list of 2^20 bits; what inflates to more is none of Latchkey's.
const MOST_BYTES: usize = 1 << 17;
/// That list, if it can't be compressed: in base64 twice, and the other claims.
const MOST_BODY_BYTES: usize = 1 << 18;
const DEFAULT_TTL_SECONDS: u32 = 10;

/// The claim `status.status_list` of a token.
#[derive(Deserialize)]
pub struct Reference {
    idx: usize,
    uri: String,
}

#[derive(Deserialize)]
struct Claims {
    status_list: Compressed,
    exp: u64,
    /// Only has to be there.
    #[serde(rename = "iat")]
    _iat: u64,
    ttl: Option<u32>,
}

#[derive(Deserialize)]
struct Compressed {
    bits: u8,
    lst: String,
}

struct StatusList {
    bits: Vec<u8>,
    fresh_until: Instant,
    /// Seconds since the epoch.
    exp: u64,
}

impl StatusList {
    fn is_past(&self) -> bool {
        self.exp <= get_current_timestamp()
    }
}

/// What is known of one list; locked while it is fetched.
#[derive(Default)]
struct Kept {
    list: Option<StatusList>,
    /// When the latest fetch ended, in vain or not.
    answered: Option<Instant>,
}

type Shared = Arc<tokio::sync::Mutex<Kept>>;

pub struct StatusLists {
    issuer: String,
    client: reqwest::Client,
    lists: Mutex<HashMap<String, Shared>>,
}

impl StatusLists {
    pub fn new(issuer: &str, client: reqwest::Client) -> Self {
        Self { issuer: issuer.into(), client, lists: Mutex::default() }
    }

    /// Whether the token was revoked; `Unavailable` when the list can't be had. One that can't be fetched
    /// anew is used until its `exp`.
    pub async fn is_revoked(&self, Reference { idx, uri }: &Reference, keys: &Keys) -> Result<bool, Refusal> {
        if !uri.starts_with(&format!("{}/", self.issuer)) {
            return Err(Refusal::Unavailable);
        }
        let arrived = Instant::now();
        let shared = self.shared(uri);
        let mut kept = shared.lock().await;
        let is_fresh = kept.list.as_ref().is_some_and(|list| Instant::now() < list.fresh_until);
        // Many requests may wait for the same list: one fetches it, and the others go by what that one found.
        if !is_fresh && kept.answered.is_none_or(|answered| answered < arrived) {
            let loaded = self.load(uri, keys).await;
            kept.answered = Some(Instant::now());
            kept.list = loaded.ok().or(kept.list.take());
        }
        let list = kept.list.as_ref().filter(|list| !list.is_past()).ok_or(Refusal::Unavailable)?;
        let byte = list.bits.get(idx >> 3).ok_or(Refusal::Unavailable)?;
        Ok(byte >> (idx & 7) & 1 == 1)
    }

    /// The place of that list; those of lists that have expired, and that nobody waits for, go.
    fn shared(&self, uri: &str) -> Shared {
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        lists.retain(|known, shared| {
            let is_good = |kept: &Kept| kept.list.as_ref().is_some_and(|list| !list.is_past());
            known == uri || shared.try_lock().map_or(true, |kept| is_good(&kept))
        });
        lists.entry(uri.into()).or_default().clone()
    }

    async fn load(&self, uri: &str, keys: &Keys) -> Result<StatusList, Refusal> {
        // Whatever the list says was so before it was asked for.
        let asked = Instant::now();
        let Claims { status_list, exp, ttl, .. } = self.verify(&self.fetch(uri).await?, uri, keys).await?;
        if status_list.bits != 1 {
            return Err(Refusal::Unavailable);
        }
        let ttl = Duration::from_secs(ttl.unwrap_or(DEFAULT_TTL_SECONDS).into());
        Ok(StatusList { bits: inflate(&status_list.lst)?, fresh_until: asked + ttl, exp })
    }

    async fn fetch(&self, uri: &str) -> Result<Vec<u8>, Refusal> {
        let request = self.client.get(uri).header(header::ACCEPT, "application/statuslist+jwt");
        let mut answer = request.send().await.map_err(unavailable)?;
        if answer.status() != StatusCode::OK {
            return Err(Refusal::Unavailable);
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unavailable)? {
            body.extend_from_slice(&chunk);
            if body.len() > MOST_BODY_BYTES {
                return Err(Refusal::Unavailable);
            }
        }
        Ok(body)
    }

    async fn verify(&self, list: &[u8], uri: &str, keys: &Keys) -> Result<Claims, Refusal> {
        let header = decode_header(list).map_err(unavailable)?;
        let is_list = header.typ.as_deref() == Some("statuslist+jwt");
        let kid = header.kid.filter(|_| is_list).ok_or(Refusal::Unavailable)?;
        let key = keys.find(&kid).await.map_err(unavailable)?;
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_issuer(&[&self.issuer]);
        validation.sub = Some(uri.into());
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        validation.leeway = 0;
        Ok(decode::<Claims>(list, &key, &validation).map_err(unavailable)?.claims)
    }
}

fn inflate(list: &str) -> Result<Vec<u8>, Refusal> {
    let compressed = BASE64_URL_SAFE_NO_PAD.decode(list).map_err(unavailable)?;
    let mut bits = Vec::new();
    let mut decoder = ZlibDecoder::new(&compressed[..]).take(MOST_BYTES as u64 + 1);
    decoder.read_to_end(&mut bits).map_err(unavailable)?;
    if bits.len() > MOST_BYTES { Err(Refusal::Unavailable) } else { Ok(bits) }
}

/// Whatever is wrong with a list, it says nothing about the token.
fn unavailable<E>(_: E) -> Refusal {
    Refusal::Unavailable
}
