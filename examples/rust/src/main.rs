//! A Rust resource server. Latchkey knows the users and hands out the tokens; this service only checks them.
mod access_tokens;
mod keys;
mod status_lists;

use std::{env, sync::Arc};

use access_tokens::{AccessTokens, Refusal};
use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::get,
};
use serde::{Deserialize, Serialize};

#[derive(Deserialize, Serialize)]
struct Order {
    id: u32,
    item: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let issuer = setting("LATCHKEY_ISSUER", "http://127.0.0.1:3000");
    let audience = setting("AUDIENCE", "http://127.0.0.1:8000");
    let tokens = AccessTokens::new(issuer, audience)?;
    let app = Router::new()
        .route("/orders", get(list_orders).post(place_order))
        .with_state(Arc::new(tokens));
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{}", setting("PORT", "8000"))).await?;
    Ok(axum::serve(listener, app).await?)
}

async fn list_orders(
    State(tokens): State<Arc<AccessTokens>>,
    headers: HeaderMap,
) -> Result<Json<Vec<Order>>, Refusal> {
    let bearer = tokens.bearer_of(&headers, "orders:read").await?;
    Ok(Json(vec![Order { id: 1, item: format!("a lamp for {}", bearer.sub) }]))
}

async fn place_order(
    State(tokens): State<Arc<AccessTokens>>,
    headers: HeaderMap,
    Json(order): Json<Order>,
) -> Result<(StatusCode, Json<Order>), Refusal> {
    tokens.bearer_of(&headers, "orders:write").await?;
    Ok((StatusCode::CREATED, Json(order)))
}

fn setting(name: &str, otherwise: &str) -> String {
    env::var(name).unwrap_or_else(|_| otherwise.into())
}
