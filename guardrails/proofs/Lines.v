(** Lines: adding them up, and why they lie above the hinges that they stand for. *)
Require Import ZArith QArith Qminmax Lqa List Bool Lia.
From AgentFund Require Import Checker Meaning.
Import ListNotations.
Local Open Scope Q_scope.

(** * Adding up *)

Definition affine_value (f : affine) (x : scenario) : Q := inject_Z (fst f) + dot (snd f) x.

Lemma add_at_value : forall a x i v a', add_at a i v = Some a' ->
  length a = length x -> dot a' x == dot a x + inject_Z v * move x i.
Proof.
  induction a as [|c a IH]; intros [|x0 x] i v a' H L; simpl in *; try discriminate.
  unfold move. simpl. destruct (i =? 0)%Z eqn:E.
  - inversion H; subst. simpl. push. ring.
  - destruct (add_at a (i - 1) v) as [r|] eqn:Ea; [|discriminate]. inversion H; subst. simpl.
    rewrite (IH x _ _ _ Ea) by congruence. unfold move. ring.
Qed.

Lemma add_at_length : forall a i v a', add_at a i v = Some a' -> length a' = length a.
Proof.
  induction a as [|c a IH]; intros i v a' H; simpl in *; [discriminate|].
  destruct (i =? 0)%Z; [inversion H; reflexivity|].
  destruct (add_at a (i - 1) v) as [r|] eqn:Ea; [|discriminate].
  inversion H; subst. simpl. f_equal. eauto.
Qed.

Lemma add_line_value : forall f i m c g x, add_line f i m c = Some g ->
  length (snd f) = length x ->
  length (snd g) = length x /\
  affine_value g x == affine_value f x + (inject_Z m * move x i + inject_Z c).
Proof.
  intros [k a] i m c g x H L. unfold add_line in H. simpl in *.
  destruct (add_at a i m) as [a'|] eqn:E; [|discriminate]. inversion H; subst; clear H.
  split; [simpl; rewrite (add_at_length _ _ _ _ E); assumption|].
  unfold affine_value. simpl. rewrite (add_at_value _ x _ _ _ E L). push. ring.
Qed.

Lemma add_line_length : forall f i m c g, add_line f i m c = Some g ->
  length (snd g) = length (snd f).
Proof.
  intros [k a] i m c g H. unfold add_line in H. simpl in *.
  destruct (add_at a i m) eqn:E; [|discriminate]. injection H as H. subst. simpl.
  eapply add_at_length; eassumption.
Qed.

Lemma get_in_box : forall b x i low high, in_box b x -> get b i = Some (low, high) ->
  inject_Z low <= move x i /\ move x i <= inject_Z high.
Proof.
  unfold move. induction b as [|[l r] b IH]; intros [|x0 x] i low high B G; simpl in *;
    try discriminate; try contradiction.
  destruct B as [B0 B]. destruct (i =? 0)%Z.
  - inversion G; subst. assumption.
  - eapply IH; eassumption.
Qed.

(** * Lines above hinges *)

Lemma max_cases : forall u, (0 <= u /\ Qmax 0 u == u) \/ (u <= 0 /\ Qmax 0 u == 0).
Proof.
  intro u. destruct (Q.max_spec 0 u) as [[A B]|[A B]]; [left|right]; split; auto; lra.
Qed.

(** A line above two ends of an affine function is above it between them. *)
Lemma affine_between : forall p q m c low high x : Q, low <= x -> x <= high ->
  p * low + q <= m * low + c -> p * high + q <= m * high + c -> p * x + q <= m * x + c.
Proof.
  intros p q m c low high x L R A B. destruct (Qlt_le_dec (m - p) 0) as [N|N].
  - assert (0 <= (p - m) * (high - x)) by (apply Qmult_le_0_compat; lra). lra.
  - assert (0 <= (m - p) * (x - low)) by (apply Qmult_le_0_compat; lra). lra.
Qed.

(** A line above both ends of a convex hinge is above it between them. *)
Lemma convex_between : forall w a b m c low high x : Q, 0 <= w -> low <= x -> x <= high ->
  w * Qmax 0 (a * low + b) <= m * low + c -> w * Qmax 0 (a * high + b) <= m * high + c ->
  w * Qmax 0 (a * x + b) <= m * x + c.
Proof.
  intros w a b m c low high x W L R A B.
  assert (G : forall u, w * u <= w * Qmax 0 u /\ 0 <= w * Qmax 0 u).
  { intro u. assert (0 <= w * (Qmax 0 u - u)).
    { apply Qmult_le_0_compat; [assumption|]. pose proof (Q.le_max_r 0 u). lra. }
    assert (0 <= w * Qmax 0 u).
    { apply Qmult_le_0_compat; [assumption|]. apply Q.le_max_l. }
    split; lra. }
  destruct (G (a * low + b)) as [A1 A2]. destruct (G (a * high + b)) as [B1 B2].
  destruct (max_cases (a * x + b)) as [[U E]|[U E]]; rewrite E.
  - pose proof (affine_between (w * a) (w * b) m c low high x L R). lra.
  - pose proof (affine_between 0 0 m c low high x L R). lra.
Qed.

Lemma one_positive : 0 < inject_Z one.
Proof. reflexivity. Qed.

(** The chord is above the hinge at both ends of the interval. *)
Lemma chord_ends : forall h low high m c, chord h low high = (m, c) ->
  (weight h * Z.max 0 (slope h * low + offset h) * one <= m * low + c)%Z /\
  (weight h * Z.max 0 (slope h * high + offset h) * one <= m * high + c)%Z.
Proof.
  intros h low high m c E. unfold chord in E.
  set (l := (slope h * low + offset h)%Z) in *. set (r := (slope h * high + offset h)%Z) in *.
  destruct ((0 <=? l) && (0 <=? r))%Z eqn:P.
  - apply andb_prop in P. destruct P as [P Q]. apply Z.leb_le in P. apply Z.leb_le in Q.
    injection E as Em Ec. subst m c. rewrite !Z.max_r by assumption. unfold l, r. split; lia.
  - destruct ((l <=? 0) && (r <=? 0))%Z eqn:N.
    + apply andb_prop in N. destruct N as [N M]. apply Z.leb_le in N. apply Z.leb_le in M.
      injection E as Em Ec. subst m c. rewrite !Z.max_l by assumption. split; lia.
    + injection E as Em Ec. rewrite Em in Ec. split; lia.
Qed.

(** A convex hinge lies below its chord on the interval, however the slope was rounded. *)
Lemma chord_above : forall h low high m c (v : Q), chord h low high = (m, c) ->
  (0 <= weight h)%Z -> inject_Z low <= v -> v <= inject_Z high ->
  inject_Z (weight h) * Qmax 0 (inject_Z (slope h) * v + inject_Z (offset h)) * inject_Z one
  <= inject_Z m * v + inject_Z c.
Proof.
  intros h low high m c v E W L R. destruct (chord_ends _ _ _ _ _ E) as [A B].
  assert (K : forall z,
    (weight h * Z.max 0 (slope h * z + offset h) * one <= m * z + c)%Z ->
    (inject_Z (weight h) * inject_Z one)
      * Qmax 0 (inject_Z (slope h) * inject_Z z + inject_Z (offset h))
    <= inject_Z m * inject_Z z + inject_Z c).
  { intros z H. rewrite Zle_Qle in H. revert H. push.
    rewrite inject_max. push. change (inject_Z 0) with 0. intro H. lra. }
  assert (W' : 0 <= inject_Z (weight h) * inject_Z one).
  { apply Qmult_le_0_compat; [|apply Qlt_le_weak, one_positive].
    change 0 with (inject_Z 0). rewrite <- Zle_Qle. assumption. }
  pose proof (convex_between _ _ _ _ _ _ _ v W' L R (K low A) (K high B)). lra.
Qed.

(** A concave hinge lies below every line between zero and its own. *)
Lemma tangent_above : forall h t m c (v : Q), tangent h t = (m, c) -> (weight h < 0)%Z ->
  (0 <= t <= one)%Z ->
  inject_Z (weight h) * Qmax 0 (inject_Z (slope h) * v + inject_Z (offset h)) * inject_Z one
  <= inject_Z m * v + inject_Z c.
Proof.
  intros h t m c v E W [T0 T1]. unfold tangent in E. injection E as Em Ec. subst m c. push.
  set (w := inject_Z (weight h)). set (u := inject_Z (slope h) * v + inject_Z (offset h)).
  assert (W' : 0 <= - w).
  { unfold w. rewrite <- inject_Z_opp. change 0 with (inject_Z 0). rewrite <- Zle_Qle. lia. }
  assert (T0' : 0 <= inject_Z t) by (change 0 with (inject_Z 0); rewrite <- Zle_Qle; assumption).
  assert (T1' : inject_Z t <= inject_Z one) by (rewrite <- Zle_Qle; assumption).
  assert (E : inject_Z t * w * inject_Z (slope h) * v + inject_Z t * w * inject_Z (offset h)
    == inject_Z t * (w * u)) by (unfold u; ring).
  rewrite E. clear E.
  destruct (max_cases u) as [[U M]|[U M]]; rewrite M.
  - assert (0 <= (inject_Z one - inject_Z t) * (- w * u)).
    { apply Qmult_le_0_compat; [lra|]. apply Qmult_le_0_compat; assumption. }
    lra.
  - assert (0 <= inject_Z t * (- w * - u)).
    { apply Qmult_le_0_compat; [assumption|]. apply Qmult_le_0_compat; lra. }
    lra.
Qed.
