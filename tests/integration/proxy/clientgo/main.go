// Runs a command in a pod and forwards a port of it over SPDY/3.1, as programs do that use client-go's
// remotecommand.NewSPDYExecutor and transport/spdy; opens many watches at once, as informers do.
//
//	go run . KUBECONFIG NAMESPACE POD CONTAINER PORT
//
// It prints what it found as one JSON object.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/client-go/util/exec"
)

type found struct {
	Echoed  int    `json:"echoed"`
	Exit    int    `json:"exit"`
	Refusal string `json:"refusal"`
	Forward string `json:"forward"`
	Watches int    `json:"watches"`
}

func run(config *rest.Config, client *kubernetes.Clientset, namespace, pod, container string, stdin io.Reader, stdout io.Writer, command ...string) error {
	request := client.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(pod).
		SubResource("exec").VersionedParams(&corev1.PodExecOptions{
		Container: container, Command: command, Stdin: stdin != nil, Stdout: true, Stderr: true,
	}, scheme.ParameterCodec)
	executor, err := remotecommand.NewSPDYExecutor(config, "POST", request.URL())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return executor.StreamWithContext(ctx, remotecommand.StreamOptions{
		Stdin: stdin, Stdout: stdout, Stderr: io.Discard,
	})
}

func forward(config *rest.Config, client *kubernetes.Clientset, namespace, pod, port string) (string, error) {
	transport, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		return "", err
	}
	url := client.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(pod).
		SubResource("portforward").URL()
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, "POST", url)
	stop, ready := make(chan struct{}), make(chan struct{})
	defer close(stop)
	forwarder, err := portforward.New(dialer, []string{"0:" + port}, stop, ready, io.Discard, io.Discard)
	if err != nil {
		return "", err
	}
	failed := make(chan error, 1)
	go func() { failed <- forwarder.ForwardPorts() }()
	select {
	case err := <-failed:
		return "", err
	case <-ready:
	case <-time.After(time.Minute):
		return "", fmt.Errorf("not ready within a minute")
	}
	ports, err := forwarder.GetPorts()
	if err != nil {
		return "", err
	}
	answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/index.html", ports[0].Local))
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return strings.TrimSpace(string(body)), err
}

// watch opens watches at once and counts those that have had an event.
func watch(client *kubernetes.Clientset, count int) int {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	seen := make(chan bool, count)
	for range count {
		go func() {
			opened, err := client.CoreV1().ConfigMaps("kube-system").Watch(ctx, metav1.ListOptions{})
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				seen <- false
				return
			}
			event, ok := <-opened.ResultChan()
			seen <- ok && event.Type == apiwatch.Added
			<-ctx.Done() // all are open at the same time
			opened.Stop()
		}()
	}
	found := 0
	for range count {
		if <-seen {
			found++
		}
	}
	return found
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	if len(os.Args) != 6 {
		check(fmt.Errorf("usage: spdycheck KUBECONFIG NAMESPACE POD CONTAINER PORT"))
	}
	namespace, pod, container, port := os.Args[2], os.Args[3], os.Args[4], os.Args[5]
	config, err := clientcmd.BuildConfigFromFlags("", os.Args[1])
	check(err)
	config.QPS = -1 // client-go would open 5 watches a second
	client, err := kubernetes.NewForConfig(config)
	check(err)
	var result found

	sent := bytes.Repeat([]byte("0123456789abcdef"), 3<<20/16)
	var got bytes.Buffer
	check(run(config, client, namespace, pod, container, bytes.NewReader(sent), &got, "cat"))
	if !bytes.Equal(sent, got.Bytes()) {
		check(fmt.Errorf("%d bytes came back as %d others", len(sent), got.Len()))
	}
	result.Echoed = got.Len()

	err = run(config, client, namespace, pod, container, nil, io.Discard, "sh", "-c", "exit 5")
	if status, ok := err.(exec.ExitError); ok {
		result.Exit = status.ExitStatus()
	}
	err = run(config, client, namespace, pod, "absent", nil, io.Discard, "true")
	if err != nil {
		result.Refusal = err.Error()
	}
	result.Forward, err = forward(config, client, namespace, pod, port)
	check(err)
	result.Watches = watch(client, 100)
	check(json.NewEncoder(os.Stdout).Encode(result))
}
