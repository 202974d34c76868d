// Checks what client-go does through a kubeconfig. Prints one line for each check: "ok", a tab and the
// name, or "failed", the name and the reason.
//
// Usage: go-clients KUBECONFIG NAMESPACE SHARED-NAMESPACE IMAGE
//
// NAMESPACE is the program's own. SHARED-NAMESPACE has a pod "web", whose port 8080 answers "hello".
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// checkTimeout is many times what a check takes on a busy machine of two cores.
const checkTimeout = 90 * time.Second

// env is what a check works with.
type env struct {
	config    *rest.Config
	client    *kubernetes.Clientset
	dynamic   *dynamic.DynamicClient
	namespace string
	shared    string
	image     string
}

type check struct {
	name string
	run  func(context.Context, *env) error
}

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: go-clients KUBECONFIG NAMESPACE SHARED-NAMESPACE IMAGE")
		os.Exit(2)
	}
	e, err := newEnv(os.Args[1], os.Args[2], os.Args[3], os.Args[4])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	for _, group := range [][]check{readingChecks, writingChecks, streamChecks, identityChecks} {
		for _, c := range group {
			report(c.name, attempt(c, e))
		}
	}
}

func newEnv(kubeconfig, namespace, shared, image string) (*env, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	// The default of 5 queries a second would measure client-go's own patience.
	config.QPS, config.Burst = 500, 1000
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	dynamicClient, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return &env{config, client, dynamicClient, namespace, shared, image}, nil
}

func attempt(c check, e *env) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
	defer cancel()
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return c.run(ctx, e)
}

func report(name string, err error) {
	if err == nil {
		fmt.Printf("ok\t%s\n", name)
		return
	}
	fmt.Printf("failed\t%s\t%s\n", name, strings.Join(strings.Fields(err.Error()), " "))
}

// until asks again until the condition holds or the context ends.
func until(ctx context.Context, what string, holds func() (bool, error)) error {
	for {
		ok, err := holds()
		if err != nil {
			return err
		}
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("never happened: %s", what)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
