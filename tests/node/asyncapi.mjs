// Reads an AsyncAPI document and prints {"operations": […], "problems": […]}, as its own parser sees it.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const WARNING = 1; // 0 are errors; what is milder is advice, such as that there is a newer version

const { document, diagnostics } = await new Parser().parse(readFileSync(0, "utf8"));
const problems = diagnostics.filter((each) => each.severity <= WARNING);
const operations = document?.allOperations().all() ?? [];
console.log(
  JSON.stringify({
    problems: problems.map((each) => `${each.path.join(".")}: ${each.message}`),
    operations: operations.map((each) => ({
      id: each.id(),
      protocols: each.servers().all().map((server) => server.protocol()),
      messages: each.messages().all().map((message) => message.name()),
    })),
  }),
);
