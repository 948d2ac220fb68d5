// Validates the document named by the first argument; says what is wrong with it.
import { Validator } from "@seriousme/openapi-schema-validator";

const result = await new Validator().validate(process.argv[2]);
if (!result.valid) {
	console.error(JSON.stringify(result.errors, null, 1));
	process.exit(1);
}
