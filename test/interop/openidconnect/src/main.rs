//! The crate openidconnect as a client has it by default: finds the server by discovery, logs in by a name
//! and a password, verifies the ID token and its at_hash, and asks for the user's claims. Then a line of
//! standard input is an ID token, a line of standard output the verdict.
use std::env::var;
use std::error::Error;
use std::io::stdin;
use std::str::FromStr;

use openidconnect::core::{CoreClient, CoreIdToken, CoreProviderMetadata, CoreUserInfoClaims};
use openidconnect::reqwest::blocking::Client;
use openidconnect::{
    AccessTokenHash, ClientId, IssuerUrl, Nonce, OAuth2TokenResponse, ResourceOwnerPassword,
    ResourceOwnerUsername, Scope, TokenResponse,
};

fn main() -> Result<(), Box<dyn Error>> {
    let http = Client::new();
    let metadata = CoreProviderMetadata::discover(&IssuerUrl::new(var("ISSUER")?)?, &http)?;
    let client = CoreClient::from_provider_metadata(metadata, ClientId::new(var("CLIENT_ID")?), None);
    let verifier = client.id_token_verifier();
    // The password grant has no authorization request, which a nonce would come from.
    let any_nonce = |_: Option<&Nonce>| Ok(());

    let name = ResourceOwnerUsername::new(var("USERNAME")?);
    let password = ResourceOwnerPassword::new(var("PASSWORD")?);
    let tokens = client
        .exchange_password(&name, &password)?
        .add_scope(Scope::new("openid".into()))
        .add_scope(Scope::new("profile".into()))
        .request(&http)?;
    let id_token = tokens.id_token().ok_or("no ID token")?;
    let claims = id_token.claims(&verifier, any_nonce)?;
    let key = id_token.signing_key(&verifier)?;
    let hash = AccessTokenHash::from_token(tokens.access_token(), id_token.signing_alg()?, key)?;
    if claims.access_token_hash() != Some(&hash) {
        return Err("at_hash is of another access token".into());
    }
    let known: CoreUserInfoClaims = client
        .user_info(tokens.access_token().clone(), Some(claims.subject().clone()))?
        .request(&http)?;
    println!("{}", known.preferred_username().map_or("nobody", |name| name.as_str()));

    for line in stdin().lines() {
        let verdict = match CoreIdToken::from_str(&line?) {
            Ok(token) => token
                .claims(&verifier, any_nonce)
                .map_or_else(|error| error.to_string(), |_| "good".into()),
            Err(error) => error.to_string(),
        };
        println!("{}", verdict.replace('\n', " "));
    }
    Ok(())
}
