(** The guarantee of a fund that decides only on certificates which the kernel's checker accepts.

    [D] is what the mandate declares, [reachable] the machine's transitions, [accepted] that for
    every case of the legs and every loss that may happen the checker confirms a bound of the loss
    and a bound of the gain of the compiled book. *)
Require Import ZArith QArith Qminmax Lqa List.
Open Scope Q_scope.
From AgentFund Require Import Ledger Machine Forms Compile Certified.

(** NAV is at least (1 - rho) times its high-water mark in every state that the fund can reach: for
    any trade that was proposed, any fills at any prices inside limit and set, any way out in
    slices, and any one venue or chain lost of those that may fail. *)
Theorem fund_drawdown_bounded : forall D rho, rho <= 1 -> forall s,
  reachable (mandate_of D) (accepted D) (share_safe rho) s ->
  (1 - rho) * high_water s <= live_nav (mandate_of D) s.
Proof. intros D. apply drawdown_bounded. apply accepted_covers. Qed.

(** NAV is at least the fixed floor in every state that the fund can reach. *)
Theorem fund_floor_holds : forall D F s,
  reachable (mandate_of D) (accepted D) (floor_safe F) s -> F <= live_nav (mandate_of D) s.
Proof. intros D. apply floor_holds. apply accepted_covers. Qed.

(** NAV is at most the amount L below its high-water mark in every state that the fund can reach. *)
Theorem fund_absolute_drawdown_bounded : forall D L s,
  reachable (mandate_of D) (accepted D) (absolute_safe L) s ->
  high_water s - live_nav (mandate_of D) s <= L.
Proof. intros D. apply absolute_drawdown_bounded. apply accepted_covers. Qed.

(** In every state that the fund can reach, the bound still holds if any one venue or chain of those
    that may fail does so now: NAV without all that stands there is at least (1 - rho) times the
    mark. *)
Theorem fund_drawdown_bounded_whichever_venue_fails : forall D rho, rho <= 1 -> forall s k,
  reachable (mandate_of D) (accepted D) (share_safe rho) s ->
  In k (failing D) -> lost (now s) = None ->
  (1 - rho) * high_water s
  <= worth (mandate_of D) (Some k) (cash (now s)) (held (now s)) (mark (now s)).
Proof.
  intros D rho R s k Rs K L.
  exact (drawdown_bounded_whichever_venue_fails _ _ (accepted_covers D) rho R s k Rs K L).
Qed.

(** NAV stays between V - loss - costs and V + gain of the last accepted decision, at every moment
    until the next one. *)
Theorem fund_stays_certified : forall D safe s, reachable (mandate_of D) (accepted D) safe s ->
  value (mandate_of D) (on (last s)) - loss (within (last s)) - all_costs (within (last s))
  <= live_nav (mandate_of D) s
  <= value (mandate_of D) (on (last s)) + whole_gain (within (last s)).
Proof. intros D safe s R. apply (nav_stays_certified _ _ (accepted_covers D) safe s R). Qed.

Print Assumptions fund_drawdown_bounded.
Print Assumptions fund_floor_holds.
Print Assumptions fund_absolute_drawdown_bounded.
Print Assumptions fund_drawdown_bounded_whichever_venue_fails.
Print Assumptions fund_stays_certified.
