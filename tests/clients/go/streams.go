package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/websocket"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/client-go/util/exec"
)

const echoed = 3 << 20

var streamChecks = []check{
	{"log, followed", followLog},
	{"exec over WebSocket: 3 MiB echoed, exit code 5", execOverWebSocket},
	{"exec over SPDY: 3 MiB echoed, exit code 5", execOverSPDY},
	{"port-forward over WebSocket", forwardOverWebSocket},
	{"port-forward over SPDY", forwardOverSPDY},
	{"watch over WebSocket, with an Origin as fabric8 sends it", watchOverWebSocket},
}

func serializer() runtime.NegotiatedSerializer { return scheme.Codecs.WithoutConversion() }

func followLog(ctx context.Context, e *env) error {
	lines := int64(1)
	stream, err := e.client.CoreV1().Pods(e.shared).
		GetLogs("web", &corev1.PodLogOptions{Follow: true, TailLines: &lines}).Stream(ctx)
	if err != nil {
		return err
	}
	defer stream.Close()
	read, piece := 0, make([]byte, 4096)
	for read < 5 {
		n, err := stream.Read(piece)
		if err != nil {
			return err
		}
		read += bytes.Count(piece[:n], []byte("\n"))
	}
	return nil
}

func execURL(e *env, command ...string) *url.URL {
	return e.client.CoreV1().RESTClient().Post().Namespace(e.shared).Resource("pods").Name("web").SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{
			Container: "main", Command: command, Stdin: true, Stdout: true, Stderr: true,
		}, scheme.ParameterCodec).URL()
}

func execWith(ctx context.Context, e *env, newExecutor func(*url.URL) (remotecommand.Executor, error)) error {
	executor, err := newExecutor(execURL(e, "sh", "-c", "cat; echo said >&2; exit 5"))
	if err != nil {
		return err
	}
	sent := make([]byte, echoed)
	if _, err := rand.Read(sent); err != nil {
		return err
	}
	var out, said bytes.Buffer
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: bytes.NewReader(sent), Stdout: &out, Stderr: &said})
	var code exec.CodeExitError
	if !errors.As(err, &code) || code.Code != 5 {
		return fmt.Errorf("not exit code 5: %w", err)
	}
	if !bytes.Equal(out.Bytes(), sent) || said.String() != "said\n" {
		return fmt.Errorf("%d bytes of %d came back, and %q", out.Len(), len(sent), said.String())
	}
	return nil
}

func execOverWebSocket(ctx context.Context, e *env) error {
	return execWith(ctx, e, func(at *url.URL) (remotecommand.Executor, error) {
		return remotecommand.NewWebSocketExecutor(e.config, http.MethodGet, at.String())
	})
}

func execOverSPDY(ctx context.Context, e *env) error {
	return execWith(ctx, e, func(at *url.URL) (remotecommand.Executor, error) {
		return remotecommand.NewSPDYExecutor(e.config, http.MethodPost, at)
	})
}

func forwardWith(ctx context.Context, dialer httpstream.Dialer) error {
	stop, ready := make(chan struct{}), make(chan struct{})
	var said bytes.Buffer
	forwarder, err := portforward.NewOnAddresses(dialer, []string{"127.0.0.1"}, []string{"0:8080"}, stop, ready, io.Discard, &said)
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- forwarder.ForwardPorts() }()
	defer close(stop)
	select {
	case <-ready:
	case err := <-failed:
		return err
	case <-ctx.Done():
		return errors.New("never ready")
	}
	ports, err := forwarder.GetPorts()
	if err != nil {
		return err
	}
	for range 5 {
		answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/index.html", ports[0].Local))
		if err != nil {
			return err
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || string(body) != "hello\n" {
			return fmt.Errorf("got %q, %v, %s", body, err, said.String())
		}
	}
	return nil
}

func forwardURL(e *env) *url.URL {
	return e.client.CoreV1().RESTClient().Post().Namespace(e.shared).Resource("pods").Name("web").SubResource("portforward").URL()
}

func forwardOverWebSocket(ctx context.Context, e *env) error {
	dialer, err := portforward.NewSPDYOverWebsocketDialer(forwardURL(e), e.config)
	if err != nil {
		return err
	}
	return forwardWith(ctx, dialer)
}

func forwardOverSPDY(ctx context.Context, e *env) error {
	transport, upgrader, err := spdy.RoundTripperFor(e.config)
	if err != nil {
		return err
	}
	return forwardWith(ctx, spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, forwardURL(e)))
}

// watchOverWebSocket watches as fabric8 does. The API server demands an Origin of a WebSocket watch.
func watchOverWebSocket(ctx context.Context, e *env) error {
	tlsConfig, err := rest.TLSConfigFor(e.config)
	if err != nil {
		return err
	}
	at := e.client.CoreV1().RESTClient().Get().Namespace(e.shared).Resource("pods").
		VersionedParams(&metav1.ListOptions{Watch: true}, scheme.ParameterCodec).URL()
	at.Scheme = "wss"
	dialer := websocket.Dialer{TLSClientConfig: tlsConfig, HandshakeTimeout: 30 * time.Second}
	headers := http.Header{"Origin": {"https://" + at.Host}}
	if e.config.BearerToken != "" {
		headers.Set("Authorization", "Bearer "+e.config.BearerToken)
	}
	socket, answer, err := dialer.DialContext(ctx, at.String(), headers)
	if err != nil {
		if answer != nil {
			return fmt.Errorf("%w: %s", err, answer.Status)
		}
		return err
	}
	defer socket.Close()
	_, message, err := socket.ReadMessage()
	if err != nil {
		return err
	}
	if !strings.Contains(string(message), `"ADDED"`) {
		return fmt.Errorf("not an event: %.200s", message)
	}
	return nil
}
