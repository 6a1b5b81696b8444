import { createContext, type ReactNode } from "react";

/** A button that leads to the list which the address belongs to; null on the lists themselves. */
export const WayBack = createContext<ReactNode>(null);
