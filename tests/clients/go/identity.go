package main

import (
	"context"
	"errors"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

var identityChecks = []check{
	{"SelfSubjectReview names the user", whoAmI},
	{"impersonation of a user: its rights count", impersonatedUser},
	{"impersonation of a ServiceAccount with a role: its rights count", impersonatedServiceAccount},
	{"impersonation of a user that may not impersonate is refused", impersonationTwice},
	{"service account token as bearer", serviceAccountToken},
}

func whoAmI(ctx context.Context, e *env) error {
	got, err := e.client.AuthenticationV1().SelfSubjectReviews().
		Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	if got.Status.UserInfo.Username == "" {
		return errors.New("no name")
	}
	return nil
}

func clientAs(e *env, user string) (*kubernetes.Clientset, error) {
	own := rest.CopyConfig(e.config)
	own.Impersonate = rest.ImpersonationConfig{UserName: user}
	return kubernetes.NewForConfig(own)
}

func may(ctx context.Context, client kubernetes.Interface, namespace, verb, what string) (bool, error) {
	asked := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: verb, Resource: what}}}
	got, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, asked, metav1.CreateOptions{})
	if err != nil {
		return false, err
	}
	return got.Status.Allowed, nil
}

func impersonatedUser(ctx context.Context, e *env) error {
	client, err := clientAs(e, "bob")
	if err != nil {
		return err
	}
	if allowed, err := may(ctx, client, "", "delete", "nodes"); err != nil || allowed {
		return fmt.Errorf("may delete nodes: %v, %w", allowed, err)
	}
	if _, err := client.CoreV1().Pods(e.shared).List(ctx, metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		return fmt.Errorf("not forbidden: %v", err)
	}
	return nil
}

// reader makes a ServiceAccount that may read ConfigMaps of its namespace, and nothing else.
func reader(ctx context.Context, e *env, name string) error {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := e.client.CoreV1().ServiceAccounts(e.namespace).Create(ctx, account, metav1.CreateOptions{}); err != nil {
		return err
	}
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: []rbacv1.PolicyRule{
		{Verbs: []string{"get", "list"}, APIGroups: []string{""}, Resources: []string{"configmaps"}}}}
	if _, err := e.client.RbacV1().Roles(e.namespace).Create(ctx, role, metav1.CreateOptions{}); err != nil {
		return err
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "Role", Name: name},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Name: name, Namespace: e.namespace}},
	}
	_, err := e.client.RbacV1().RoleBindings(e.namespace).Create(ctx, binding, metav1.CreateOptions{})
	return err
}

// hasRightsOf checks that a client may do what `reader` may, and no more.
func hasRightsOf(ctx context.Context, client kubernetes.Interface, e *env) error {
	err := until(ctx, "the role is known", func() (bool, error) {
		_, err := client.CoreV1().ConfigMaps(e.namespace).List(ctx, metav1.ListOptions{})
		if apierrors.IsForbidden(err) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		return err
	}
	if _, err := client.CoreV1().Secrets(e.namespace).List(ctx, metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		return fmt.Errorf("secrets are not forbidden: %v", err)
	}
	return nil
}

func impersonatedServiceAccount(ctx context.Context, e *env) error {
	if err := reader(ctx, e, "impersonated"); err != nil {
		return err
	}
	client, err := clientAs(e, "system:serviceaccount:"+e.namespace+":impersonated")
	if err != nil {
		return err
	}
	return hasRightsOf(ctx, client, e)
}

// impersonationTwice: who acts as another through a token of few rights is refused by RBAC.
func impersonationTwice(ctx context.Context, e *env) error {
	if err := reader(ctx, e, "powerless"); err != nil {
		return err
	}
	token, err := e.client.CoreV1().ServiceAccounts(e.namespace).
		CreateToken(ctx, "powerless", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	own := withToken(e.config, token.Status.Token)
	own.Impersonate = rest.ImpersonationConfig{UserName: "system:admin", Groups: []string{"system:masters"}}
	client, err := kubernetes.NewForConfig(own)
	if err != nil {
		return err
	}
	if _, err := client.CoreV1().Secrets(e.namespace).List(ctx, metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		return fmt.Errorf("not forbidden: %v", err)
	}
	return nil
}

// withToken keeps the address and the authority, and enters with the token alone. A kubeconfig that has a
// token itself leads through the server, which takes both: the credential, a dot, and the token.
func withToken(config *rest.Config, token string) *rest.Config {
	own := rest.AnonymousClientConfig(config)
	own.BearerToken = token
	if config.BearerToken != "" {
		own.BearerToken = config.BearerToken + "." + token
	}
	return own
}

func serviceAccountToken(ctx context.Context, e *env) error {
	if err := reader(ctx, e, "bearer"); err != nil {
		return err
	}
	token, err := e.client.CoreV1().ServiceAccounts(e.namespace).
		CreateToken(ctx, "bearer", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(withToken(e.config, token.Status.Token))
	if err != nil {
		return err
	}
	return hasRightsOf(ctx, client, e)
}
