import { sentence } from "@/lib/text/sentence";
import type { components } from "./schema";

type Wire = components["schemas"]["Problem"];

/** The words of a problem; what the server may leave out may be missing here. */
export type ProblemBody = Pick<Wire, "title" | "status" | "detail" | "code"> & Partial<Pick<Wire, "fix" | "errors">>;

/** A refusal of the server, or no answer at all, with words fit for a person. */
export class ApiProblem extends Error {
  constructor(readonly body: ProblemBody) {
    super(body.detail);
    this.name = "ApiProblem";
  }

  get status(): number {
    return this.body.status;
  }

  get code(): string {
    return this.body.code;
  }

  /** What is wrong and the way out, as sentences. */
  get words(): string {
    return [this.body.detail, this.body.fix ?? ""].map(sentence).join(" ").trim();
  }

  get title(): string {
    return sentence(this.body.title).replace(/\.$/, "");
  }

  /** What is wrong with one field of a form. */
  fieldError(field: string): string | null {
    const message = this.body.errors?.find((error) => error.field === field || error.field.startsWith(`${field}.`))?.message;
    return message === undefined ? null : sentence(message);
  }
}

export function unreachable(): ApiProblem {
  return new ApiProblem({
    title: "The server does not answer",
    status: 0,
    detail: "The server does not answer. It may be restarting, or this machine is offline.",
    code: "unreachable",
    fix: "Wait a moment and try again. The page reconnects by itself.",
  });
}

/** Reads a body of any kind as a problem: proxies answer with HTML, or with nothing. */
export function problemFrom(body: unknown, response: { status: number }): ApiProblem {
  if (isProblem(body)) return new ApiProblem(body);
  if (response.status >= 500) {
    return new ApiProblem({
      title: "The server is not ready",
      status: response.status,
      detail: `The server answered ${response.status} without saying why.`,
      code: "unexpected_answer",
      fix: "Try again in a moment. If it stays, the server's log says more.",
    });
  }
  return new ApiProblem({
    title: "Refused",
    status: response.status,
    detail: `The server refused this with ${response.status}.`,
    code: "unexpected_answer",
    fix: null,
  });
}

function isProblem(body: unknown): body is ProblemBody {
  return typeof body === "object" && body !== null && "code" in body && "detail" in body && "status" in body;
}

/** Narrows whatever was thrown to a problem. */
export function asProblem(error: unknown): ApiProblem {
  return error instanceof ApiProblem ? error : unreachable();
}
