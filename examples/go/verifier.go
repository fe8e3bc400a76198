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

// errUnavailable is a fault: that keys or lists can't be had says nothing about the token, which the client
// must not throw away.
var errUnavailable = errors.New("keys or status lists can't be had")

// leeway is by how much the clocks of two machines may differ.
const leeway = 30 * time.Second

// verifier checks Latchkey's access tokens offline (RFC 9068 section 4) and refuses as RFC 6750 section 3
// says.
type verifier struct {
	issuer, audience, jwksURL string
	cache                     *jwk.Cache
	lists                     *statusLists
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
	v.lists = newStatusLists(issuer, v.keys)
	// Fetched anew every five minutes, in the background; Latchkey publishes a key a week before it signs with
	// it. The service starts without Latchkey, too.
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
		bearer, err := v.verify(r.Context(), token)
		if errors.Is(err, errUnavailable) {
			w.Header().Set("Retry-After", "5")
			answer(w, http.StatusServiceUnavailable, map[string]string{"error": "temporarily_unavailable"})
			return
		}
		if err != nil {
			challenge := `Bearer error="invalid_token", error_description="The access token is not valid here"`
			refuse(w, http.StatusUnauthorized, "invalid_token", challenge)
			return
		}
		if !slices.Contains(bearer.scopes, scope) {
			challenge := `Bearer error="insufficient_scope", scope="` + scope + `"`
			refuse(w, http.StatusForbidden, "insufficient_scope", challenge)
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

// verify tells whose token it is, or fails: with errUnavailable where it can't know.
func (v *verifier) verify(ctx context.Context, raw string) (bearer, error) {
	keys, err := v.keys(ctx)
	if err != nil {
		return bearer{}, errors.Join(errUnavailable, err)
	}
	token, err := parse(raw, "at+jwt", keys,
		jwt.WithIssuer(v.issuer),
		jwt.WithAudience(v.audience),
		jwt.WithRequiredClaim(jwt.SubjectKey),
		jwt.WithRequiredClaim(jwt.ExpirationKey),
		jwt.WithTypedClaim("status", statusClaim{}),
	)
	if err != nil {
		return bearer{}, err
	}
	if err := v.checkStatus(token); err != nil {
		return bearer{}, err
	}
	subject, _ := token.Subject()
	var scope string
	_ = token.Get("scope", &scope)
	return bearer{subject: subject, scopes: strings.Fields(scope)}, nil
}

// checkStatus fails when the token was revoked. One without the claim can't be.
func (v *verifier) checkStatus(token jwt.Token) error {
	if !token.Has("status") {
		return nil
	}
	var status statusClaim
	if err := token.Get("status", &status); err != nil {
		return err
	}
	revoked, err := v.lists.isRevoked(status)
	if err != nil {
		return errors.Join(errUnavailable, err)
	}
	if revoked {
		return errors.New("revoked")
	}
	return nil
}

// parse gives the claims of a JWT of that type. The key set pins each key to its algorithm.
func parse(raw, wanted string, keys jwk.Set, checks ...jwt.ParseOption) (jwt.Token, error) {
	message, err := jws.ParseString(raw, jws.WithCompact())
	if err != nil {
		return nil, err
	}
	typ, _ := message.Signatures()[0].ProtectedHeaders().Type()
	if strings.TrimPrefix(strings.ToLower(typ), "application/") != wanted {
		return nil, errors.New("a JWT of another type")
	}
	return jwt.ParseString(raw, append(checks, jwt.WithKeySet(keys), jwt.WithAcceptableSkew(leeway))...)
}
