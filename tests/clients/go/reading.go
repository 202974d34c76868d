package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

const (
	informerUpdates = 200
	manyInformers   = 100
	manyConfigMaps  = 25
)

var readingChecks = []check{
	{"chunked list with continue", chunkedList},
	{"SharedInformer, 200 updates seen", informerSeesUpdates},
	{"100 informers, each on a connection of its own, see one change", hundredInformers},
	{"leader election with hand-over", leaderElection},
	{"watch from a resourceVersion", watchFromVersion},
	{"watch from a resourceVersion that is too old: 410", watchTooOld},
	{"WatchList: initial events, then the bookmark", watchList},
	{"watch with timeoutSeconds ends cleanly", watchTimeout},
	{"protobuf", protobuf},
	{"Table and YAML", tableAndYaml},
	{"aggregated discovery", aggregatedDiscovery},
	{"service proxy", serviceProxy},
	{"list of CertificateSigningRequests", listCSRs},
}

func newConfigMap(name, value string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"made-for": name}},
		Data:       map[string]string{"value": value},
	}
}

func chunkedList(ctx context.Context, e *env) error {
	maps := e.client.CoreV1().ConfigMaps(e.namespace)
	for i := range manyConfigMaps {
		made := newConfigMap(fmt.Sprintf("chunk-%02d", i), "x")
		made.Labels = map[string]string{"made-for": "chunks"}
		if _, err := maps.Create(ctx, made, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	seen, pages, next := 0, 0, ""
	for {
		page, err := maps.List(ctx, metav1.ListOptions{LabelSelector: "made-for=chunks", Limit: 10, Continue: next})
		if err != nil {
			return err
		}
		seen, pages, next = seen+len(page.Items), pages+1, page.Continue
		if next == "" {
			break
		}
	}
	if seen != manyConfigMaps || pages != 3 {
		return fmt.Errorf("%d objects in %d pages", seen, pages)
	}
	return nil
}

// informerOn starts an informer on one ConfigMap and counts the updates that it sees.
func informerOn(ctx context.Context, client kubernetes.Interface, namespace, name string) (*atomic.Int64, error) {
	only := func(o *metav1.ListOptions) { o.FieldSelector = "metadata.name=" + name }
	factory := informers.NewSharedInformerFactoryWithOptions(
		client, 0, informers.WithNamespace(namespace), informers.WithTweakListOptions(only))
	informer := factory.Core().V1().ConfigMaps().Informer()
	updates := &atomic.Int64{}
	handler := cache.ResourceEventHandlerFuncs{UpdateFunc: func(_, _ any) { updates.Add(1) }}
	if _, err := informer.AddEventHandler(handler); err != nil {
		return nil, err
	}
	factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		return nil, errors.New("the cache was never in sync")
	}
	return updates, nil
}

func informerSeesUpdates(ctx context.Context, e *env) error {
	maps := e.client.CoreV1().ConfigMaps(e.namespace)
	current, err := maps.Create(ctx, newConfigMap("informed", "start"), metav1.CreateOptions{})
	if err != nil {
		return err
	}
	updates, err := informerOn(ctx, e.client, e.namespace, "informed")
	if err != nil {
		return err
	}
	for i := range informerUpdates {
		current.Data["value"] = fmt.Sprint(i)
		if current, err = maps.Update(ctx, current, metav1.UpdateOptions{}); err != nil {
			return err
		}
	}
	return until(ctx, "200 updates", func() (bool, error) { return updates.Load() == informerUpdates, nil })
}

func hundredInformers(ctx context.Context, e *env) error {
	maps := e.client.CoreV1().ConfigMaps(e.namespace)
	current, err := maps.Create(ctx, newConfigMap("watched-by-many", "start"), metav1.CreateOptions{})
	if err != nil {
		return err
	}
	all := make([]*atomic.Int64, manyInformers)
	for i := range all {
		own := rest.CopyConfig(e.config)
		// A dialer of its own keeps client-go from sharing the transport.
		own.Dial = (&ownDialer{}).DialContext
		client, err := kubernetes.NewForConfig(own)
		if err != nil {
			return err
		}
		if all[i], err = informerOn(ctx, client, e.namespace, "watched-by-many"); err != nil {
			return fmt.Errorf("informer %d: %w", i, err)
		}
	}
	current.Data["value"] = "changed"
	if _, err := maps.Update(ctx, current, metav1.UpdateOptions{}); err != nil {
		return err
	}
	return until(ctx, "every informer sees the change", func() (bool, error) {
		for _, updates := range all {
			if updates.Load() != 1 {
				return false, nil
			}
		}
		return true, nil
	})
}

func leaderElection(ctx context.Context, e *env) error {
	var leading atomic.Value
	leading.Store("")
	run := func(ctx context.Context, identity string) {
		lock := &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Name: "leader", Namespace: e.namespace},
			Client:     e.client.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: identity},
		}
		leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
			Lock: lock, ReleaseOnCancel: true,
			LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: time.Second,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(context.Context) { leading.Store(identity) },
				OnStoppedLeading: func() {},
			},
		})
	}
	first, stopFirst := context.WithCancel(ctx)
	defer stopFirst()
	go run(first, "first")
	isLed := func(by string) func() (bool, error) {
		return func() (bool, error) { return leading.Load() == by, nil }
	}
	if err := until(ctx, "the first leads", isLed("first")); err != nil {
		return err
	}
	second, stopSecond := context.WithCancel(ctx)
	defer stopSecond()
	go run(second, "second")
	stopFirst()
	return until(ctx, "the second leads", isLed("second"))
}

func next(ctx context.Context, w watch.Interface) (watch.Event, error) {
	select {
	case event, ok := <-w.ResultChan():
		if !ok {
			return event, errors.New("the watch ended")
		}
		return event, nil
	case <-ctx.Done():
		return watch.Event{}, errors.New("no event came")
	}
}

func watchFromVersion(ctx context.Context, e *env) error {
	maps := e.client.CoreV1().ConfigMaps(e.namespace)
	made, err := maps.Create(ctx, newConfigMap("versions", "one"), metav1.CreateOptions{})
	if err != nil {
		return err
	}
	made.Data["value"] = "two"
	if _, err := maps.Update(ctx, made, metav1.UpdateOptions{}); err != nil {
		return err
	}
	w, err := maps.Watch(ctx, metav1.ListOptions{
		FieldSelector: "metadata.name=versions", ResourceVersion: made.ResourceVersion})
	if err != nil {
		return err
	}
	defer w.Stop()
	event, err := next(ctx, w)
	if err != nil {
		return err
	}
	if got, ok := event.Object.(*corev1.ConfigMap); !ok || event.Type != watch.Modified || got.Data["value"] != "two" {
		return fmt.Errorf("not the update: %v", event)
	}
	return nil
}

func watchTooOld(ctx context.Context, e *env) error {
	w, err := e.client.CoreV1().ConfigMaps(e.namespace).Watch(ctx, metav1.ListOptions{ResourceVersion: "1"})
	if err != nil {
		if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
			return nil
		}
		return err
	}
	defer w.Stop()
	event, err := next(ctx, w)
	if err != nil {
		return err
	}
	if status, ok := event.Object.(*metav1.Status); !ok || status.Code != 410 {
		return fmt.Errorf("not 410: %v", event)
	}
	return nil
}

func watchList(ctx context.Context, e *env) error {
	maps := e.client.CoreV1().ConfigMaps(e.namespace)
	if _, err := maps.Create(ctx, newConfigMap("listed", "x"), metav1.CreateOptions{}); err != nil {
		return err
	}
	yes := true
	w, err := maps.Watch(ctx, metav1.ListOptions{
		SendInitialEvents: &yes, AllowWatchBookmarks: true,
		ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan,
	})
	if err != nil {
		return err
	}
	defer w.Stop()
	seen := false
	for {
		event, err := next(ctx, w)
		if err != nil {
			return err
		}
		object, ok := event.Object.(*corev1.ConfigMap)
		if !ok {
			return fmt.Errorf("unexpected: %v", event)
		}
		if event.Type == watch.Bookmark {
			if object.Annotations[metav1.InitialEventsAnnotationKey] != "true" {
				return errors.New("the bookmark does not end the initial events")
			}
			if !seen {
				return errors.New("the bookmark came before the object")
			}
			return nil
		}
		seen = seen || object.Name == "listed"
	}
}

func watchTimeout(ctx context.Context, e *env) error {
	seconds := int64(1)
	w, err := e.client.CoreV1().ConfigMaps(e.namespace).Watch(ctx, metav1.ListOptions{
		FieldSelector: "metadata.name=nobody", TimeoutSeconds: &seconds})
	if err != nil {
		return err
	}
	defer w.Stop()
	select {
	case event, ok := <-w.ResultChan():
		if ok {
			return fmt.Errorf("an event instead of the end: %v", event)
		}
		return nil
	case <-ctx.Done():
		return errors.New("it never ended")
	}
}

func protobuf(ctx context.Context, e *env) error {
	own := rest.CopyConfig(e.config)
	own.ContentType = runtime.ContentTypeProtobuf
	own.AcceptContentTypes = runtime.ContentTypeProtobuf
	client, err := kubernetes.NewForConfig(own)
	if err != nil {
		return err
	}
	maps := client.CoreV1().ConfigMaps(e.namespace)
	if _, err := maps.Create(ctx, newConfigMap("protobuf", "binary"), metav1.CreateOptions{}); err != nil {
		return err
	}
	got, err := maps.Get(ctx, "protobuf", metav1.GetOptions{})
	if err != nil {
		return err
	}
	if got.Data["value"] != "binary" {
		return fmt.Errorf("got %v", got.Data)
	}
	return nil
}

func tableAndYaml(ctx context.Context, e *env) error {
	for accept, wanted := range map[string]string{
		"application/json;as=Table;v=v1;g=meta.k8s.io": "columnDefinitions",
		"application/yaml": "kind: PodList",
	} {
		body, err := e.client.CoreV1().RESTClient().Get().Namespace(e.shared).Resource("pods").
			SetHeader("Accept", accept).DoRaw(ctx)
		if err != nil {
			return err
		}
		if !contains(body, wanted) {
			return fmt.Errorf("%s: no %q in %d bytes", accept, wanted, len(body))
		}
	}
	return nil
}

func aggregatedDiscovery(_ context.Context, e *env) error {
	_, resources, err := e.client.Discovery().ServerGroupsAndResources()
	if err != nil {
		return err
	}
	for _, list := range resources {
		if list.GroupVersion == "apps/v1" && len(list.APIResources) > 0 {
			return nil
		}
	}
	return errors.New("no apps/v1")
}

func serviceProxy(ctx context.Context, e *env) error {
	body, err := e.client.CoreV1().Services(e.shared).ProxyGet("http", "web", "80", "/index.html", nil).Stream(ctx)
	if err != nil {
		return err
	}
	defer body.Close()
	text, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	if string(text) != "hello\n" {
		return fmt.Errorf("got %q", text)
	}
	return nil
}

func listCSRs(ctx context.Context, e *env) error {
	_, err := e.client.CertificatesV1().CertificateSigningRequests().List(ctx, metav1.ListOptions{})
	return err
}
