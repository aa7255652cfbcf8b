// A bot on go-xmpp. HOST PORT JID PASSWORD MUC NICK ROOMS
package main

import (
	"crypto/tls"
	"fmt"
	"log"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/mattn/go-xmpp"
)

func main() {
	host, port, jid, password := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	muc, nick := os.Args[5], os.Args[6]
	rooms, _ := strconv.Atoi(os.Args[7])
	command := regexp.MustCompile(`(?i)^` + regexp.QuoteMeta(nick) + `: ping (\w+)`)
	bare := strings.Split(jid, "/")
	options := xmpp.Options{
		Host:      host + ":" + port,
		User:      bare[0],
		Resource:  bare[1],
		Password:  password,
		NoTLS:     true,
		StartTLS:  true,
		TLSConfig: &tls.Config{InsecureSkipVerify: true},
	}
	client, err := options.NewClient()
	if err != nil {
		log.Fatal(err)
	}
	for number := 0; number < rooms; number++ {
		if _, err := client.JoinMUCNoHistory(fmt.Sprintf("room%d@%s", number, muc), nick); err != nil {
			log.Fatal(err)
		}
	}
	present := map[string]map[string]string{}
	for {
		stanza, err := client.Recv()
		if err != nil {
			log.Fatal(err)
		}
		switch said := stanza.(type) {
		case xmpp.Chat:
			from := strings.SplitN(said.Remote, "/", 2)
			if said.Type != "groupchat" || len(from) < 2 || from[1] == nick || !said.Stamp.IsZero() {
				continue
			}
			if found := command.FindStringSubmatch(said.Text); found != nil {
				client.Send(xmpp.Chat{Remote: from[0], Type: "groupchat", Text: "pong " + found[1]})
			}
		case xmpp.Presence:
			from := strings.SplitN(said.From, "/", 2)
			if len(from) == 2 {
				if present[from[0]] == nil {
					present[from[0]] = map[string]string{}
				}
				present[from[0]][from[1]] = said.Show
			}
		}
	}
}
