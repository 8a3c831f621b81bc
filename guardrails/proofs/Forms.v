(** The guarantee in its three forms, for any way of certifying that covers the book.

    [Fund.v] puts the kernel's certificates in. *)
Require Import ZArith QArith Qminmax Lqa List.
Open Scope Q_scope.
From AgentFund Require Import Sums Ledger Machine.

(** The share form: the mark at its highest against NAV at its lowest. *)
Definition share_safe (rho V H loss gain costs : Q) : Prop :=
  (1 - rho) * Qmax H (V + gain) <= V - loss - costs.
(** The fixed floor. *)
Definition floor_safe (F V H loss gain costs : Q) : Prop := F <= V - loss - costs.
(** The absolute form: an amount of money below the mark. *)
Definition absolute_safe (L V H loss gain costs : Q) : Prop :=
  H - V + loss + costs <= L /\ gain + loss + costs <= L.

(** The comparison that the runtime makes in integers (the limit is part/whole, loss and gain are
    base units times [scale]) implies the share form. *)
Theorem integer_check_is_share_safe : forall whole part nav mark loss gain costs scale : Z,
  (0 < whole)%Z -> (0 < scale)%Z ->
  ((whole - part) * Z.max (mark * scale) (nav * scale + gain)
    <= whole * (nav * scale - loss - costs * scale))%Z ->
  share_safe (inject_Z part / inject_Z whole) (inject_Z nav) (inject_Z mark)
    (inject_Z loss / inject_Z scale) (inject_Z gain / inject_Z scale) (inject_Z costs).
Proof.
  intros w p v m l g c s W S H. rewrite Zle_Qle in H.
  assert (W' : 0 < inject_Z w) by (rewrite Zlt_Qlt in W; exact W).
  assert (S' : 0 < inject_Z s) by (rewrite Zlt_Qlt in S; exact S).
  unfold share_safe. set (V := inject_Z v) in *. set (G := inject_Z g / inject_Z s).
  assert (EG : inject_Z g == G * inject_Z s)
    by (unfold G; field; intro K; rewrite K in S'; apply (Qlt_irrefl 0); exact S').
  assert (EL : inject_Z l == inject_Z l / inject_Z s * inject_Z s)
    by (field; intro K; rewrite K in S'; apply (Qlt_irrefl 0); exact S').
  set (L := inject_Z l / inject_Z s) in *.
  assert (EP : inject_Z p == inject_Z p / inject_Z w * inject_Z w)
    by (field; intro K; rewrite K in W'; apply (Qlt_irrefl 0); exact W').
  set (r := inject_Z p / inject_Z w) in *.
  assert (M : inject_Z (Z.max (m * s) (v * s + g)) == Qmax (inject_Z m) (V + G) * inject_Z s).
  { destruct (Z.max_spec (m * s) (v * s + g)) as [[A B]|[A B]]; rewrite B.
    - rewrite inject_Z_plus, inject_Z_mult. fold V. rewrite EG.
      apply Z.lt_le_incl in A. rewrite Zle_Qle, inject_Z_plus, !inject_Z_mult, EG in A. fold V in A.
      destruct (max_cases (inject_Z m) (V + G)) as [[X Y]|[X Y]]; rewrite Y; nra.
    - rewrite inject_Z_mult.
      rewrite Zle_Qle, inject_Z_plus, !inject_Z_mult, EG in A. fold V in A.
      destruct (max_cases (inject_Z m) (V + G)) as [[X Y]|[X Y]]; rewrite Y; nra. }
  unfold Z.sub in H. rewrite !inject_Z_mult, M, !inject_Z_plus, !inject_Z_opp, !inject_Z_mult in H.
  fold V in H. rewrite EL, EP in H.
  set (X := Qmax (inject_Z m) (V + G)) in *.
  assert (K : ((1 - r) * X) * (inject_Z w * inject_Z s)
    <= (V - L - inject_Z c) * (inject_Z w * inject_Z s)) 
    by (ring_simplify; ring_simplify in H; lra).
  apply Qmult_le_r in K; [exact K|]. nra.
Qed.

Section Forms.
  Variable M : mandate.
  Variable certified : book -> bounds -> Prop.
  Hypothesis certified_covers : forall b w, certified b w -> covered M b w.

  (** In every state that the fund can reach, NAV is at least (1 - rho) times the high-water mark:
      for any trade that was proposed, any fills at any prices inside limit and set, any slices of a
      way out, and any one loss of those that may happen. *)
  Theorem drawdown_bounded : forall rho, rho <= 1 -> forall s,
    reachable M certified (share_safe rho) s -> (1 - rho) * high_water s <= live_nav M s.
  Proof.
    intros rho R s Rs. pose proof (nav_stays_certified M _ certified_covers _ s Rs) as [N _].
    apply reachable_sound in Rs; [|exact certified_covers]. destruct Rs as [_ S _ _ _ U _].
    unfold safe_at, share_safe in S.
    pose proof (Qmult_le_compat_r _ _ (1 - rho) U ltac:(lra)) as K. lra.
  Qed.

  (** In every state that the fund can reach, NAV is at least the floor. *)
  Theorem floor_holds : forall F s,
    reachable M certified (floor_safe F) s -> F <= live_nav M s.
  Proof.
    intros F s Rs. pose proof (nav_stays_certified M _ certified_covers _ s Rs) as [N _].
    apply reachable_sound in Rs; [|exact certified_covers]. destruct Rs as [_ S _ _ _ _ _].
    unfold safe_at, floor_safe in S. lra.
  Qed.

  (** In every state that the fund can reach, NAV is at most the amount L below the high-water
      mark. *)
  Theorem absolute_drawdown_bounded : forall L s,
    reachable M certified (absolute_safe L) s -> high_water s - live_nav M s <= L.
  Proof.
    intros L s Rs. pose proof (nav_stays_certified M _ certified_covers _ s Rs) as [N _].
    apply reachable_sound in Rs; [|exact certified_covers]. destruct Rs as [_ [S1 S2] _ _ _ U _].
    destruct (max_cases (peak (last s)) (value M (on (last s)) + whole_gain (within (last s))))
      as [[P Q]|[P Q]]; rewrite Q in U; lra.
  Qed.

  (** The bound holds whichever venue fails, or chain with all its venues: NAV without all that
      stands there is still at least (1 - rho) times the high-water mark. *)
  Theorem drawdown_bounded_whichever_venue_fails : forall rho, rho <= 1 -> forall s k,
    reachable M certified (share_safe rho) s -> In k (may_fail M) -> lost (now s) = None ->
    (1 - rho) * high_water s <= worth M (Some k) (cash (now s)) (held (now s)) (mark (now s)).
  Proof.
    intros rho R s k Rs K L.
    assert (F : reachable M certified (share_safe rho) {|
      at_mode := at_mode s; last := last s;
      now := {| cash := cash (now s); held := held (now s); mark := mark (now s);
                paid := paid (now s); fills := fills (now s); cancelled := cancelled (now s);
                lost := Some k; spent := spent (now s); missed := missed (now s) |};
      high_water := Qmax (high_water s)
        (worth M (Some k) (cash (now s)) (held (now s)) (mark (now s))) |}).
    { eapply Next; [exact Rs|]. eapply Tick. apply Fail; assumption. }
    pose proof (drawdown_bounded rho R _ F) as B. unfold live_nav, nav in B. simpl in B.
    pose proof (Q.le_max_l (high_water s)
      (worth M (Some k) (cash (now s)) (held (now s)) (mark (now s)))) as X.
    pose proof (Qmult_le_compat_r _ _ (1 - rho) X ltac:(lra)). lra.
  Qed.
End Forms.

Print Assumptions drawdown_bounded.
Print Assumptions floor_holds.
Print Assumptions absolute_drawdown_bounded.
Print Assumptions drawdown_bounded_whichever_venue_fails.
Print Assumptions integer_check_is_share_safe.
