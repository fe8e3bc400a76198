// go-oidc as a resource server uses it. A line of standard input is the time in seconds, a token and, where
// it is an ID token, maybe the access token beside it; a line of standard output the verdict.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

func main() {
	ctx := context.Background()
	var now time.Time
	issuer := os.Getenv("ISSUER")
	// As its documentation shows it: what the issuer signs with is read from its metadata, and set nowhere.
	provider, err := oidc.NewProvider(ctx, issuer)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	verifier := provider.Verifier(&oidc.Config{
		ClientID: os.Getenv("AUDIENCE"),
		Now:      func() time.Time { return now },
	})

	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		seconds, token, _ := strings.Cut(lines.Text(), " ")
		at, err := strconv.ParseInt(seconds, 10, 64)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		now = time.Unix(at, 0)
		token, access, hasAccess := strings.Cut(token, " ")
		verified, err := verifier.Verify(ctx, token)
		if err == nil && hasAccess {
			err = verified.VerifyAccessToken(access)
		}
		if err != nil {
			fmt.Println(strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Println("good")
		}
	}
}
