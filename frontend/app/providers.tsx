"use client";

import { QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { StreamProvider } from "@/hooks/use-stream";
import { UploadsProvider } from "@/hooks/uploads-provider";
import { asProblem } from "@/lib/api/problem";
import { keys, worthRetrying } from "@/lib/api/queries";

function createClient(): QueryClient {
  const client: QueryClient = new QueryClient({
    queryCache: new QueryCache({
      // A session that ended shows in any answer: ask who is there, which brings the sign-in form.
      onError: (error, query) => {
        if (asProblem(error).status === 401 && query.queryKey[0] !== keys.me[0]) void client.invalidateQueries({ queryKey: keys.me });
      },
    }),
    defaultOptions: { queries: { retry: worthRetrying, refetchOnWindowFocus: false } },
  });
  return client;
}

export function Providers({ children }: { children: ReactNode }) {
  const [client] = useState(createClient);
  return (
    <QueryClientProvider client={client}>
      <StreamProvider>
        <UploadsProvider>{children}</UploadsProvider>
      </StreamProvider>
    </QueryClientProvider>
  );
}
