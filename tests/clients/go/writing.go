package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

var writingChecks = []check{
	{"server-side apply: conflict 409, then forced", serverSideApply},
	{"JSON, merge and strategic merge patch", patches},
	{"field validation Strict: 400", validationStrict},
	{"field validation Warn: the Warning header arrives", validationWarn},
	{"CRD: create, discovery, object, status subresource, validation", customResources},
	{"ResourceQuota is enforced", quota},
	{"Deployment and scale", deploymentAndScale},
	{"foreground deletion", foregroundDeletion},
	{"deletion of a namespace with what is in it", namespaceDeletion},
}

type ownDialer struct{ net.Dialer }

func contains(body []byte, text string) bool { return bytes.Contains(body, []byte(text)) }

func serverSideApply(ctx context.Context, e *env) error {
	maps := e.client.CoreV1().ConfigMaps(e.namespace)
	body := func(value string) []byte {
		return fmt.Appendf(nil, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"applied"},"data":{"value":%q}}`, value)
	}
	yes := true
	if _, err := maps.Patch(ctx, "applied", types.ApplyPatchType, body("one"), metav1.PatchOptions{FieldManager: "one"}); err != nil {
		return err
	}
	_, err := maps.Patch(ctx, "applied", types.ApplyPatchType, body("two"), metav1.PatchOptions{FieldManager: "two"})
	if !apierrors.IsConflict(err) {
		return fmt.Errorf("not a conflict: %v", err)
	}
	got, err := maps.Patch(ctx, "applied", types.ApplyPatchType, body("two"), metav1.PatchOptions{FieldManager: "two", Force: &yes})
	if err != nil {
		return err
	}
	if got.Data["value"] != "two" {
		return fmt.Errorf("got %v", got.Data)
	}
	return nil
}

func patches(ctx context.Context, e *env) error {
	maps := e.client.CoreV1().ConfigMaps(e.namespace)
	if _, err := maps.Create(ctx, newConfigMap("patched", "zero"), metav1.CreateOptions{}); err != nil {
		return err
	}
	for value, patch := range map[string]struct {
		kind types.PatchType
		body string
	}{
		"json":      {types.JSONPatchType, `[{"op":"replace","path":"/data/value","value":"json"}]`},
		"merge":     {types.MergePatchType, `{"data":{"value":"merge"}}`},
		"strategic": {types.StrategicMergePatchType, `{"data":{"value":"strategic"}}`},
	} {
		got, err := maps.Patch(ctx, "patched", patch.kind, []byte(patch.body), metav1.PatchOptions{})
		if err != nil {
			return fmt.Errorf("%s: %w", value, err)
		}
		if got.Data["value"] != value {
			return fmt.Errorf("%s: got %v", value, got.Data)
		}
	}
	return nil
}

const unknownField = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"strict"},"unheardOf":1}`

func validationStrict(ctx context.Context, e *env) error {
	err := e.client.CoreV1().RESTClient().Post().Namespace(e.namespace).Resource("configmaps").
		Param("fieldValidation", "Strict").SetHeader("Content-Type", "application/json").
		Body([]byte(unknownField)).Do(ctx).Error()
	if !apierrors.IsBadRequest(err) {
		return fmt.Errorf("not 400: %v", err)
	}
	return nil
}

type warnings struct{ texts []string }

func (w *warnings) HandleWarningHeader(_ int, _ string, text string) { w.texts = append(w.texts, text) }

func validationWarn(ctx context.Context, e *env) error {
	heard := &warnings{}
	own := rest.CopyConfig(e.config)
	own.WarningHandler = heard
	own.GroupVersion, own.APIPath = &corev1.SchemeGroupVersion, "/api"
	own.NegotiatedSerializer = serializer()
	client, err := rest.RESTClientFor(own)
	if err != nil {
		return err
	}
	err = client.Post().Namespace(e.namespace).Resource("configmaps").
		Param("fieldValidation", "Warn").SetHeader("Content-Type", "application/json").
		Body([]byte(unknownField)).Do(ctx).Error()
	if err != nil {
		return err
	}
	if len(heard.texts) != 1 {
		return fmt.Errorf("warnings: %v", heard.texts)
	}
	return nil
}

func customResources(ctx context.Context, e *env) error {
	group := e.namespace + ".clients.example"
	client, err := apiextensions.NewForConfig(e.config)
	if err != nil {
		return err
	}
	integer := apiextensionsv1.JSONSchemaProps{Type: "integer"}
	crd := &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "widgets." + group},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: group, Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: "widgets", Singular: "widget", Kind: "Widget", ListKind: "WidgetList"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: "v1", Served: true, Storage: true,
				Subresources: &apiextensionsv1.CustomResourceSubresources{Status: &apiextensionsv1.CustomResourceSubresourceStatus{}},
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
					Type: "object", Properties: map[string]apiextensionsv1.JSONSchemaProps{
						"spec":   {Type: "object", Properties: map[string]apiextensionsv1.JSONSchemaProps{"size": integer}},
						"status": {Type: "object", Properties: map[string]apiextensionsv1.JSONSchemaProps{"seen": integer}},
					}}},
			}},
		},
	}
	crds := client.ApiextensionsV1().CustomResourceDefinitions()
	if _, err := crds.Create(ctx, crd, metav1.CreateOptions{}); err != nil {
		return err
	}
	defer func() { _ = crds.Delete(context.Background(), crd.Name, metav1.DeleteOptions{}) }()
	err = until(ctx, "the kind is discovered", func() (bool, error) {
		found, err := e.client.Discovery().ServerResourcesForGroupVersion(group + "/v1")
		return err == nil && len(found.APIResources) > 0, nil
	})
	if err != nil {
		return err
	}
	widgets := e.dynamic.Resource(schema.GroupVersionResource{Group: group, Version: "v1", Resource: "widgets"}).Namespace(e.namespace)
	widget := func(name string, size any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": group + "/v1", "kind": "Widget",
			"metadata": map[string]any{"name": name}, "spec": map[string]any{"size": size},
		}}
	}
	var made *unstructured.Unstructured
	err = until(ctx, "the kind is served", func() (bool, error) {
		made, err = widgets.Create(ctx, widget("one", int64(1)), metav1.CreateOptions{})
		if apierrors.IsNotFound(err) || apierrors.IsTooManyRequests(err) {
			return false, nil // the CRD is established a moment later
		}
		return err == nil, err
	})
	if err != nil {
		return err
	}
	if err := unstructured.SetNestedField(made.Object, int64(7), "status", "seen"); err != nil {
		return err
	}
	updated, err := widgets.UpdateStatus(ctx, made, metav1.UpdateOptions{})
	if err != nil {
		return err
	}
	if seen, _, _ := unstructured.NestedInt64(updated.Object, "status", "seen"); seen != 7 {
		return errors.New("the status was not written")
	}
	if _, err := widgets.Create(ctx, widget("two", "large"), metav1.CreateOptions{}); !apierrors.IsInvalid(err) {
		return fmt.Errorf("not invalid: %v", err)
	}
	return nil
}

func quota(ctx context.Context, e *env) error {
	name := e.namespace + "-quota"
	if err := newNamespace(ctx, e, name); err != nil {
		return err
	}
	defer func() {
		_ = e.client.CoreV1().Namespaces().Delete(context.Background(), name, metav1.DeleteOptions{})
	}()
	limit := corev1.ResourceList{"count/secrets": resource.MustParse("1")}
	quotas := e.client.CoreV1().ResourceQuotas(name)
	made := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "one"}, Spec: corev1.ResourceQuotaSpec{Hard: limit}}
	if _, err := quotas.Create(ctx, made, metav1.CreateOptions{}); err != nil {
		return err
	}
	err := until(ctx, "the quota is counted", func() (bool, error) {
		got, err := quotas.Get(ctx, "one", metav1.GetOptions{})
		return err == nil && len(got.Status.Hard) > 0, err
	})
	if err != nil {
		return err
	}
	secret := func(name string) *corev1.Secret { return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}} }
	secrets := e.client.CoreV1().Secrets(name)
	if _, err := secrets.Create(ctx, secret("first"), metav1.CreateOptions{}); err != nil {
		return err
	}
	if _, err := secrets.Create(ctx, secret("second"), metav1.CreateOptions{}); !apierrors.IsForbidden(err) {
		return fmt.Errorf("the second was not forbidden: %v", err)
	}
	return nil
}

func newNamespace(ctx context.Context, e *env, name string) error {
	made := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	_, err := e.client.CoreV1().Namespaces().Create(ctx, made, metav1.CreateOptions{})
	return err
}

func newDeployment(name, image string) *appsv1.Deployment {
	one, none := int32(1), int64(0)
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &one, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{TerminationGracePeriodSeconds: &none, Containers: []corev1.Container{{
					Name: "main", Image: image, ImagePullPolicy: corev1.PullNever, Command: []string{"sleep", "3600"},
				}}},
			},
		},
	}
}

func deploymentAndScale(ctx context.Context, e *env) error {
	deployments := e.client.AppsV1().Deployments(e.namespace)
	if _, err := deployments.Create(ctx, newDeployment("scaled", e.image), metav1.CreateOptions{}); err != nil {
		return err
	}
	available := func(wanted int32) error {
		return until(ctx, fmt.Sprintf("%d available", wanted), func() (bool, error) {
			got, err := deployments.Get(ctx, "scaled", metav1.GetOptions{})
			return err == nil && got.Status.AvailableReplicas == wanted, err
		})
	}
	if err := available(1); err != nil {
		return err
	}
	scale, err := deployments.GetScale(ctx, "scaled", metav1.GetOptions{})
	if err != nil {
		return err
	}
	scale.Spec.Replicas = 2
	if _, err := deployments.UpdateScale(ctx, "scaled", scale, metav1.UpdateOptions{}); err != nil {
		return err
	}
	return available(2)
}

func foregroundDeletion(ctx context.Context, e *env) error {
	foreground := metav1.DeletePropagationForeground
	deployments := e.client.AppsV1().Deployments(e.namespace)
	if err := deployments.Delete(ctx, "scaled", metav1.DeleteOptions{PropagationPolicy: &foreground}); err != nil {
		return err
	}
	err := until(ctx, "the Deployment is gone", func() (bool, error) {
		_, err := deployments.Get(ctx, "scaled", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return true, nil
		}
		return false, err
	})
	if err != nil {
		return err
	}
	left, err := e.client.AppsV1().ReplicaSets(e.namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=scaled"})
	if err != nil {
		return err
	}
	if len(left.Items) > 0 {
		return errors.New("the Deployment was gone before its ReplicaSet")
	}
	return nil
}

func namespaceDeletion(ctx context.Context, e *env) error {
	name := fmt.Sprintf("%s-gone-%d", e.namespace, time.Now().UnixNano()%100000)
	if err := newNamespace(ctx, e, name); err != nil {
		return err
	}
	if _, err := e.client.CoreV1().ConfigMaps(name).Create(ctx, newConfigMap("inside", "x"), metav1.CreateOptions{}); err != nil {
		return err
	}
	if err := e.client.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		return err
	}
	return until(ctx, "the namespace is gone", func() (bool, error) {
		_, err := e.client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return true, nil
		}
		return false, err
	})
}
