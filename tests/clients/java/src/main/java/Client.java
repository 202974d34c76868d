import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.LocalPortForward;
import io.fabric8.kubernetes.client.Watcher;
import io.fabric8.kubernetes.client.WatcherException;
import io.fabric8.kubernetes.client.dsl.ExecWatch;
import io.fabric8.kubernetes.client.informers.ResourceEventHandler;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** Checks fabric8. Usage: java Client KUBECONFIG NAMESPACE SHARED IMAGE. */
public final class Client {
  private static final int CHECK_SECONDS = 90;
  private static final int UPDATES = 50;

  private interface Body {
    void run() throws Exception;
  }

  private static void check(String name, Body body) {
    CompletableFuture<Void> done = new CompletableFuture<>();
    Thread thread = new Thread(() -> {
      try {
        body.run();
        done.complete(null);
      } catch (Throwable error) {
        done.completeExceptionally(error);
      }
    });
    thread.setDaemon(true);
    thread.start();
    try {
      done.get(CHECK_SECONDS, TimeUnit.SECONDS);
      System.out.println("ok\t" + name);
    } catch (Exception error) {
      StringBuilder reason = new StringBuilder(error.toString());
      for (Throwable cause = error.getCause(); cause != null; cause = cause.getCause()) {
        reason.append(" / ").append(cause);
      }
      String words = reason.toString().replaceAll("\\s+", " ");
      System.out.println("failed\t" + name + "\t" + words.substring(0, Math.min(600, words.length())));
    }
  }

  private static void expect(Object got, Object wanted) {
    if (!Objects.equals(got, wanted)) {
      throw new AssertionError("got " + got + ", not " + wanted);
    }
  }

  private static ConfigMap configMap(String name, String value) {
    return new ConfigMapBuilder().withNewMetadata().withName(name).endMetadata()
        .withData(Map.of("value", value)).build();
  }

  public static void main(String[] arguments) throws Exception {
    String namespace = arguments[1];
    String shared = arguments[2];
    File kubeconfig = new File(arguments[0]);
    CompletableFuture<KubernetesClient> made = new CompletableFuture<>();
    check("certificate, key and token of the kubeconfig are read", () ->
        made.complete(new KubernetesClientBuilder().withConfig(Config.fromKubeconfig(kubeconfig)).build()));
    if (!made.isDone()) {
      System.exit(0);
    }
    try (KubernetesClient client = made.get()) {
      check("list, create, server-side apply, delete", () -> {
        var maps = client.configMaps().inNamespace(namespace);
        maps.resource(configMap("fabric8", "x")).create();
        expect(maps.resource(configMap("fabric8", "y")).forceConflicts().serverSideApply()
            .getData().get("value"), "y");
        expect(maps.list().getItems().stream().anyMatch(each -> each.getMetadata().getName().equals("fabric8")), true);
        maps.withName("fabric8").delete();
      });
      check("watch", () -> watches(client, shared));
      check("informer, " + UPDATES + " updates seen", () -> informs(client, namespace));
      check("log, followed", () -> {
        try (var log = client.pods().inNamespace(shared).withName("web").tailingLines(1).watchLog()) {
          var lines = new BufferedReader(new InputStreamReader(log.getOutput()));
          expect(lines.readLine().startsWith("line"), true);
        }
      });
      check("exec with standard input and exit code", () -> {
        var out = new ByteArrayOutputStream();
        try (ExecWatch exec = client.pods().inNamespace(shared).withName("web").inContainer("main")
            .redirectingInput().writingOutput(out).exec("sh", "-c", "read x; echo got $x; exit 4")) {
          exec.getInput().write("it\n".getBytes());
          exec.getInput().flush();
          expect(exec.exitCode().get(CHECK_SECONDS, TimeUnit.SECONDS), 4);
        }
        expect(out.toString(), "got it\n");
      });
      check("port-forward", () -> {
        try (LocalPortForward forward = client.pods().inNamespace(shared).withName("web").portForward(8080)) {
          var at = URI.create("http://127.0.0.1:" + forward.getLocalPort() + "/index.html");
          expect(HttpClient.newHttpClient().send(HttpRequest.newBuilder(at).build(),
              HttpResponse.BodyHandlers.ofString()).body(), "hello\n");
        }
      });
    }
    System.exit(0);
  }

  private static void watches(KubernetesClient client, String shared) throws Exception {
    CompletableFuture<String> seen = new CompletableFuture<>();
    try (var watch = client.pods().inNamespace(shared).watch(new Watcher<Pod>() {
      @Override
      public void eventReceived(Action action, Pod pod) {
        seen.complete(pod.getMetadata().getName());
      }

      @Override
      public void onClose(WatcherException cause) {
        if (cause != null) {
          seen.completeExceptionally(cause);
        }
      }
    })) {
      expect(seen.get(CHECK_SECONDS, TimeUnit.SECONDS), "web");
    }
  }

  private static void informs(KubernetesClient client, String namespace) throws Exception {
    var maps = client.configMaps().inNamespace(namespace);
    maps.resource(configMap("informed", "start")).create();
    CountDownLatch updates = new CountDownLatch(UPDATES);
    try (SharedIndexInformer<ConfigMap> informer = maps.withName("informed").inform(new ResourceEventHandler<>() {
      @Override
      public void onAdd(ConfigMap added) {}

      @Override
      public void onUpdate(ConfigMap before, ConfigMap after) {
        if (!before.getMetadata().getResourceVersion().equals(after.getMetadata().getResourceVersion())) {
          updates.countDown();
        }
      }

      @Override
      public void onDelete(ConfigMap deleted, boolean unknown) {}
    })) {
      for (int i = 0; i < UPDATES; i++) {
        String value = "value-" + i;
        maps.withName("informed").edit(each -> new ConfigMapBuilder(each).withData(Map.of("value", value)).build());
      }
      expect(updates.await(CHECK_SECONDS, TimeUnit.SECONDS), true);
    }
  }
}
