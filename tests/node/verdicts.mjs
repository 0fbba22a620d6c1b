// Reads {"schema": …, "bodies": [text, …]} and prints for each body whether it is JSON that the schema takes.
import { readFileSync } from "node:fs";
import Ajv2020 from "ajv/dist/2020.js";

const { schema, bodies } = JSON.parse(readFileSync(0, "utf8"));
const ajv = new Ajv2020({ strictTypes: true, strictSchema: true, validateFormats: false, keywords: ["discriminator"] });
const takes = ajv.compile(schema);

function verdict(body) {
  try {
    return takes(JSON.parse(body));
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

console.log(JSON.stringify(bodies.map(verdict)));
