package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/lestrrat-go/httprc/v3"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/lestrrat-go/jwx/v3/jwt"
)

// verifier checks Latchkey's access tokens offline (RFC 9068 section 4) and refuses as RFC 6750 section 3 says.
type verifier struct {
	issuer, audience, jwksURL string
	cache                     *jwk.Cache
}

// bearer is what a verified token says.
type bearer struct {
	subject string
	scopes  []string
}

func newVerifier(issuer, audience string) (*verifier, error) {
	v := &verifier{issuer: issuer, audience: audience, jwksURL: issuer + "/.well-known/jwks.json"}
	ctx := context.Background()
	cache, err := jwk.NewCache(ctx, httprc.NewClient())
	if err != nil {
		return nil, err
	}
	v.cache = cache
	// Fetched anew every five minutes, in the background; Latchkey publishes a key a week before it signs with it.
	// The service starts without Latchkey, too.
	return v, cache.Register(ctx, v.jwksURL, jwk.WithConstantInterval(5*time.Minute), jwk.WithWaitReady(false))
}

// needs lets a request pass whose bearer has the scope.
func (v *verifier) needs(scope string, next func(http.ResponseWriter, *http.Request, bearer)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") || token == "" {
			refuse(w, http.StatusUnauthorized, "unauthorized", `Bearer scope="`+scope+`"`)
			return
		}
		keys, err := v.keys(r.Context())
		if err != nil {
			// That the keys can't be had says nothing about the token: the client must not throw it away.
			w.Header().Set("Retry-After", "5")
			answer(w, http.StatusServiceUnavailable, map[string]string{"error": "temporarily_unavailable"})
			return
		}
		bearer, err := v.verify(token, keys)
		if err != nil {
			refuse(w, http.StatusUnauthorized, "invalid_token", `Bearer error="invalid_token", error_description="The access token is not valid here"`)
			return
		}
		if !slices.Contains(bearer.scopes, scope) {
			refuse(w, http.StatusForbidden, "insufficient_scope", `Bearer error="insufficient_scope", scope="`+scope+`"`)
			return
		}
		next(w, r, bearer)
	})
}

func refuse(w http.ResponseWriter, status int, code, challenge string) {
	w.Header().Set("WWW-Authenticate", challenge)
	answer(w, status, map[string]string{"error": code})
}

// keys gives the keys that are known, and asks for them while there are none.
func (v *verifier) keys(ctx context.Context) (jwk.Set, error) {
	if keys, err := v.cache.Lookup(ctx, v.jwksURL); err == nil {
		return keys, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return v.cache.Refresh(ctx, v.jwksURL)
}

// verify tells whose token it is. The key set pins each key to its algorithm.
func (v *verifier) verify(raw string, keys jwk.Set) (bearer, error) {
	message, err := jws.ParseString(raw, jws.WithCompact())
	if err != nil {
		return bearer{}, err
	}
	typ, _ := message.Signatures()[0].ProtectedHeaders().Type()
	if typ = strings.ToLower(typ); typ != "at+jwt" && typ != "application/at+jwt" {
		return bearer{}, errors.New("not an access token")
	}
	token, err := jwt.ParseString(raw,
		jwt.WithKeySet(keys),
		jwt.WithIssuer(v.issuer),
		jwt.WithAudience(v.audience),
		jwt.WithRequiredClaim(jwt.SubjectKey),
		jwt.WithRequiredClaim(jwt.ExpirationKey),
	)
	if err != nil {
		return bearer{}, err
	}
	subject, _ := token.Subject()
	var scope string
	_ = token.Get("scope", &scope)
	return bearer{subject: subject, scopes: strings.Fields(scope)}, nil
}
