// SPDX-License-Identifier: Apache-2.0

// One token a line in; one line each out: "good", or why not. Verify is the document's, or with the
// argument "oidc" it is go-oidc's, which finds the keys by the discovery document.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
)

func documented() func(string) error {
	keys, err := Keys()
	if err != nil {
		fail(err)
	}
	return func(token string) error {
		_, err := Verify(keys, token)
		return err
	}
}

func discovered() func(string) error {
	ctx := context.Background()
	provider, err := oidc.NewProvider(ctx, issuer)
	if err != nil {
		fail(err)
	}
	verifier := provider.Verifier(&oidc.Config{ClientID: audience})
	return func(token string) error {
		_, err := verifier.Verify(ctx, token)
		return err
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func main() {
	verify := documented
	if len(os.Args) > 1 && os.Args[1] == "oidc" {
		verify = discovered
	}
	check := verify()
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		verdict := "good"
		if err := check(lines.Text()); err != nil {
			verdict = strings.ReplaceAll(err.Error(), "\n", " ")
		}
		fmt.Println(verdict)
	}
}
