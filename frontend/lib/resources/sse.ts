export interface SseMessage {
  event: string;
  data: string;
}

/** Puts Server-Sent Events together from text that arrives in pieces. Comments, ids and retry times mean nothing to us. */
export class SseReader {
  private rest = "";
  private event = "";
  private data: string[] = [];

  /** Takes a piece; gives the messages that are whole with it. */
  push(piece: string): SseMessage[] {
    const lines = (this.rest + piece).split("\n");
    this.rest = lines.pop() ?? "";
    const messages: SseMessage[] = [];
    for (const line of lines) {
      if (line === "") {
        if (this.data.length > 0) messages.push({ event: this.event, data: this.data.join("\n") });
        this.event = "";
        this.data = [];
      } else if (line.startsWith("event: ")) {
        this.event = line.slice("event: ".length);
      } else if (line.startsWith("data: ")) {
        this.data.push(line.slice("data: ".length));
      }
    }
    return messages;
  }
}
