import { describe, expect, it } from "vitest";
import { commandOf, emptyDraft, parseLabels, requestOf, shortDuration } from "@/components/clusters/create-draft";
import { matches } from "@/components/clusters/filters";
import { routeOf } from "@/hooks/use-route";
import type { Template } from "@/lib/api/client";
import { makeCluster } from "./factories";

const template: Template = {
  name: "default",
  title: "One node",
  description: "",
  kubernetes_version: "v1.37.0",
  control_planes: 1,
  workers: 0,
  addons: [],
  ttl_seconds: 3600,
  expected_seconds: null,
  is_default: true,
};

describe("the create form", () => {
  it("asks only for what differs from the template", () => {
    expect(requestOf(emptyDraft("demo"), template)).toEqual({ name: "demo", template: "default", labels: {} });
    expect(commandOf(emptyDraft("demo"), template)).toBe("pyk8s create demo");
  });

  it("asks for what was chosen", () => {
    const draft = { ...emptyDraft("demo"), workers: 2, ttlSeconds: 14_400, kubernetesVersion: " v1.36.0 ", labels: "team=a", simulate: "slow" };
    expect(requestOf(draft, template)).toEqual({
      name: "demo",
      template: "default",
      workers: 2,
      ttl_seconds: 14_400,
      kubernetes_version: "v1.36.0",
      labels: { team: "a", simulate: "slow" },
    });
    expect(commandOf(draft, { ...template, is_default: false })).toBe(
      "pyk8s create demo --template default --workers 2 --ttl 4h --kubernetes-version v1.36.0 --label team=a --label simulate=slow",
    );
  });

  it("quotes for a shell what a shell would take apart", () => {
    const draft = { ...emptyDraft("demo"), labels: "note=it's $(me)" };
    expect(commandOf(draft, template)).toBe(String.raw`pyk8s create demo --label 'note=it'\''s $(me)'`);
  });

  it("reads labels as people write them", () => {
    expect(parseLabels(" team = payments ,branch=a=b,, alone ")).toEqual({ team: "payments", branch: "a=b", alone: "" });
  });

  it.each([
    [86_400, "1d"],
    [5400, "90m"],
    [61, "61s"],
  ])("writes %d s as %s", (seconds, words) => expect(shortDuration(seconds)).toBe(words));
});

describe("the filter", () => {
  const cluster = makeCluster({ name: "payments", phase: "ready", labels: { branch: "1432" } });
  it("needs every word, in the name, the template or a label", () => {
    expect(matches(cluster, "all", "pay 1432")).toBe(true);
    expect(matches(cluster, "all", "branch=14 default")).toBe(true);
    expect(matches(cluster, "all", "pay other")).toBe(false);
    expect(matches(cluster, "failed", "")).toBe(false);
  });
});

describe("the address", () => {
  it.each([
    ["/", { view: "dashboard" }],
    ["/clusters", { view: "dashboard" }],
    ["/clusters/abc", { view: "cluster", id: "abc" }],
    ["/clusters/%E0%A4%A", { view: "cluster", id: "%E0%A4%A" }],
    ["/templates", { view: "templates" }],
    ["/clusters/abc/more", { view: "unknown" }],
    ["/elsewhere", { view: "unknown" }],
  ])("%s", (pathname, route) => expect(routeOf(pathname)).toEqual(route));
});
