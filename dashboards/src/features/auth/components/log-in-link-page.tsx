import { useRouter } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { askedFor, forgetAskedFor } from "../asked-for";

/** Where a log-in ends: it goes on to the page that was asked for before it, or to today. */
export function LogInLinkPage() {
  const { history } = useRouter();
  const [address] = useState(askedFor);
  useEffect(() => {
    forgetAskedFor();
    history.replace(address);
  }, [history, address]);
  return null;
}
