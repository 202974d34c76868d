// Command spec uses a client that oapi-codegen made: spec URL TOKEN CLUSTER.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	"pyk8s.example/spec/lab"
)

func main() {
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(url, token, cluster string) error {
	ctx := context.Background()
	client, err := lab.NewClientWithResponses(url, lab.WithRequestEditorFn(
		func(_ context.Context, request *http.Request) error {
			request.Header.Set("Authorization", "Bearer "+token)
			return nil
		}))
	if err != nil {
		return err
	}
	listed, err := client.ClustersListAllWithResponse(ctx, nil)
	if err != nil {
		return err
	}
	limit := 3
	page, err := client.EventsEventsWithResponse(ctx, cluster, &lab.EventsEventsParams{Limit: &limit})
	if err != nil {
		return err
	}
	used, err := client.ClustersUsageWithResponse(ctx, cluster)
	if err != nil {
		return err
	}
	if listed.JSON200 == nil || page.JSON200 == nil || used.JSON200 == nil {
		return fmt.Errorf("refused: %s %s %s", listed.Status(), page.Status(), used.Status())
	}
	var told struct {
		Names  []string `json:"names"`
		Seqs   []int    `json:"seqs"`
		Memory int      `json:"memory"`
	}
	for _, each := range listed.JSON200.Items {
		told.Names = append(told.Names, each.Name)
	}
	for _, each := range page.JSON200.Items {
		var event struct {
			Seq int `json:"seq"`
		}
		raw, err := each.MarshalJSON()
		if err != nil {
			return err
		}
		if err := json.Unmarshal(raw, &event); err != nil {
			return err
		}
		told.Seqs = append(told.Seqs, event.Seq)
	}
	told.Memory = used.JSON200.MemoryBytes
	return json.NewEncoder(os.Stdout).Encode(told)
}
