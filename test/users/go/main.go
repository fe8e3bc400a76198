// Logs in as golang.org/x/oauth2 does by default: each password of the standard input, one a line, by a
// configuration that finds out by itself how the client authenticates. Prints what came of each: "ok", or the
// error code and the status.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"golang.org/x/oauth2"
)

func main() {
	config := &oauth2.Config{
		ClientID:     os.Args[2],
		ClientSecret: os.Args[3],
		Endpoint:     oauth2.Endpoint{TokenURL: os.Args[1] + "/token", AuthStyle: oauth2.AuthStyleAutoDetect},
	}
	passwords := bufio.NewScanner(os.Stdin)
	for passwords.Scan() {
		fmt.Println(outcome(config.PasswordCredentialsToken(context.Background(), os.Args[4], passwords.Text())))
	}
	if err := passwords.Err(); err != nil {
		log.Fatal(err)
	}
}

func outcome(token *oauth2.Token, err error) string {
	var refused *oauth2.RetrieveError
	switch {
	case err == nil && token.Valid():
		return "ok"
	case errors.As(err, &refused):
		return fmt.Sprintf("%s %d", refused.ErrorCode, refused.Response.StatusCode)
	default:
		return fmt.Sprint(err)
	}
}
