// Gets a token as golang.org/x/oauth2/clientcredentials does by default: it finds out by itself how the
// client authenticates. Calls the URL of the last argument with it, and prints the token, its type, and the
// status of the answer.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"golang.org/x/oauth2/clientcredentials"
)

func main() {
	config := clientcredentials.Config{
		ClientID:     os.Args[2],
		ClientSecret: os.Args[3],
		TokenURL:     os.Args[1] + "/token",
		Scopes:       []string{"orders:read"},
	}
	token, err := config.Token(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	answer, err := config.Client(context.Background()).Get(os.Args[4])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(token.AccessToken, token.Type(), answer.StatusCode)
}
