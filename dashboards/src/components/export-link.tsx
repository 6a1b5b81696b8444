import { Button } from "@mantine/core";
import { createQuerySerializer } from "openapi-fetch";
import type { paths } from "../lib/api-types";
import { Icon } from "./icons";

interface ExportLinkProps {
  path: keyof paths;
  /** Filters of the list, as the API names them. */
  query: Record<string, string | readonly string[] | undefined>;
  disabled: boolean;
}

/** Every row of a list that fits the filters, not only this page of them, as a file that the API makes. */
export function ExportLink({ path, query, disabled }: ExportLinkProps) {
  return (
    <Button
      component="a"
      href={disabled ? undefined : `${path}?${createQuerySerializer()({ ...query, format: "csv" })}`}
      download
      variant="default"
      size="xs"
      data-disabled={disabled || undefined}
      aria-disabled={disabled}
      leftSection={<Icon name="download" size={14} />}
    >
      Export CSV
    </Button>
  );
}
