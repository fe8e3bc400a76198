// A Go resource server. Latchkey knows the users and hands out the tokens; this service only checks them.
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"os"
	"time"
)

type order struct {
	ID   int    `json:"id"`
	Item string `json:"item"`
}

func main() {
	issuer, audience := env("LATCHKEY_ISSUER", "http://127.0.0.1:3000"), env("AUDIENCE", "http://127.0.0.1:8000")
	verifier, err := newVerifier(issuer, audience)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /orders", verifier.needs("orders:read", listOrders))
	mux.Handle("POST /orders", verifier.needs("orders:write", placeOrder))
	server := &http.Server{
		Addr:              "127.0.0.1:" + env("PORT", "8000"),
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
	}
	log.Fatal(server.ListenAndServe())
}

func listOrders(w http.ResponseWriter, _ *http.Request, bearer bearer) {
	answer(w, http.StatusOK, []order{{ID: 1, Item: "a lamp for " + bearer.subject}})
}

func placeOrder(w http.ResponseWriter, r *http.Request, _ bearer) {
	var placed order
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 16<<10)).Decode(&placed); err != nil {
		answer(w, http.StatusBadRequest, map[string]string{"error": "invalid_request"})
		return
	}
	answer(w, http.StatusCreated, placed)
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func env(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
