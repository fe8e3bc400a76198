package main

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jwt"
	"golang.org/x/sync/singleflight"
)

const (
	// A list of 2^20 bits.
	mostBytes = 1 << 17
	// Such a list in a JWT where compression doesn't make it smaller, and base64 makes it longer twice.
	mostText   = 2 * mostBytes
	defaultTTL = 10.0
)

// statusLists reports whether a token was revoked without a question to Latchkey about each one (IETF Token
// Status List): a list has a bit for each of a million tokens, and is fetched when the copy is older than its
// ttl.
type statusLists struct {
	issuer   string
	keys     func(context.Context) (jwk.Set, error)
	client   *http.Client
	fetching singleflight.Group
	mu       sync.Mutex
	lists    map[string]statusList
}

type statusList struct {
	bits            []byte
	freshUntil, exp time.Time
}

// statusClaim is the claim "status" of a token.
type statusClaim struct {
	List *struct {
		Index uint64 `json:"idx"`
		URI   string `json:"uri"`
	} `json:"status_list"`
}

// listClaim is the claim "status_list" of a list.
type listClaim struct {
	Bits int    `json:"bits"`
	List string `json:"lst"`
}

func newStatusLists(issuer string, keys func(context.Context) (jwk.Set, error)) *statusLists {
	noRedirects := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client := &http.Client{Timeout: 5 * time.Second, CheckRedirect: noRedirects}
	return &statusLists{issuer: issuer, keys: keys, client: client, lists: map[string]statusList{}}
}

// isRevoked fails when the list can't be had, which says nothing about the token.
func (s *statusLists) isRevoked(status statusClaim) (bool, error) {
	if status.List == nil {
		return false, nil
	}
	index, uri := status.List.Index, status.List.URI
	if !strings.HasPrefix(uri, s.issuer+"/") {
		return false, fmt.Errorf("a status list of somebody else: %s", uri)
	}
	list, err := s.at(uri)
	if err != nil {
		return false, err
	}
	if index/8 >= uint64(len(list.bits)) {
		return false, fmt.Errorf("the status list is too short: %s", uri)
	}
	return list.bits[index/8]>>(index%8)&1 == 1, nil
}

// at gives the list; one that can't be fetched anew is used until its exp.
func (s *statusLists) at(uri string) (statusList, error) {
	// Many requests may want the same list; one fetches it.
	_, err, _ := s.fetching.Do(uri, func() (any, error) { return nil, s.renew(uri) })
	list := s.known(uri)
	if time.Now().Before(list.exp) {
		return list, nil
	}
	return statusList{}, fmt.Errorf("no status list %s: %w", uri, err)
}

func (s *statusLists) known(uri string) statusList {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lists[uri]
}

// renew fetches the list unless the copy is fresh.
func (s *statusLists) renew(uri string) error {
	if time.Now().Before(s.known(uri).freshUntil) {
		return nil
	}
	list, err := s.load(uri)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lists[uri] = list
	maps.DeleteFunc(s.lists, func(_ string, old statusList) bool { return !time.Now().Before(old.exp) })
	return nil
}

func (s *statusLists) load(uri string) (statusList, error) {
	// Whatever the list says was so before it was asked for.
	askedAt := time.Now()
	text, err := s.fetch(uri)
	if err != nil {
		return statusList{}, err
	}
	// No request's context: others wait for the list, too.
	keys, err := s.keys(context.Background())
	if err != nil {
		return statusList{}, err
	}
	token, err := parse(text, "statuslist+jwt", keys,
		jwt.WithIssuer(s.issuer),
		jwt.WithSubject(uri),
		jwt.WithRequiredClaim(jwt.IssuedAtKey),
		jwt.WithRequiredClaim(jwt.ExpirationKey),
		jwt.WithTypedClaim("status_list", listClaim{}),
	)
	if err != nil {
		return statusList{}, err
	}
	return read(token, askedAt)
}

// read takes a list out of its token.
func read(token jwt.Token, askedAt time.Time) (statusList, error) {
	var claim listClaim
	if err := token.Get("status_list", &claim); err != nil {
		return statusList{}, err
	}
	ttl := defaultTTL
	if err := token.Get("ttl", &ttl); err != nil && token.Has("ttl") {
		return statusList{}, err
	}
	bits, err := claim.inflate()
	exp, _ := token.Expiration()
	freshUntil := askedAt.Add(time.Duration(ttl * float64(time.Second)))
	return statusList{bits: bits, freshUntil: freshUntil, exp: exp}, err
}

func (s *statusLists) fetch(uri string) (string, error) {
	request, err := http.NewRequest(http.MethodGet, uri, nil)
	if err != nil {
		return "", err
	}
	request.Header.Set("Accept", "application/statuslist+jwt")
	answer, err := s.client.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the status list was answered %d", answer.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, mostText))
	return string(text), err
}

func (c listClaim) inflate() ([]byte, error) {
	if c.Bits != 1 {
		return nil, fmt.Errorf("a status list of %d bits per token", c.Bits)
	}
	compressed, err := base64.RawURLEncoding.DecodeString(c.List)
	if err != nil {
		return nil, err
	}
	reader, err := zlib.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(reader, mostBytes))
}
