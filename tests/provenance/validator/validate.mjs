// SPDX-License-Identifier: Apache-2.0
// What c2pa-ts says of each file: node validate.mjs FILE..., one line of JSON a file. It trusts no signer.
import { readFile } from "node:fs/promises";
import { BMFF, JPEG, PNG } from "@trustnxt/c2pa-ts/asset";
import { SuperBox } from "@trustnxt/c2pa-ts/jumbf";
import { ManifestStore, ValidationResult } from "@trustnxt/c2pa-ts/manifest";

for (const file of process.argv.slice(2)) {
  const bytes = await readFile(file);
  const format = [JPEG, PNG, BMFF].find((one) => one.canRead(bytes));
  const asset = format && new format(bytes);
  const jumbf = asset?.getManifestJUMBF();
  let result;
  if (jumbf) {
    try {
      result = await ManifestStore.read(SuperBox.fromBuffer(jumbf)).validate(asset);
    } catch (error) {
      result = ValidationResult.fromError(error);
    }
  }
  const entries = result?.statusEntries ?? [];
  console.log(JSON.stringify({
    file, found: Boolean(jumbf), valid: Boolean(result?.isValid),
    codes: entries.map((entry) => entry.code), failed: entries.filter((entry) => !entry.success).map((entry) => entry.code),
  }));
}
